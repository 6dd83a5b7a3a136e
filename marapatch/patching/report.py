"""What is reported of patches: tables for people, JSON for programs.

The JSON (schema version 1) is one object for one layer:

- ``marapatch``: ``"patch"``. ``schema_version``: 1.
- ``status``: ``"closed"``, ``"open"``, ``"none"`` (proved: no change of this layer meets the
  goals) or ``"already"`` (they are met as it is: a patch of size 0).
- ``lower``, ``upper``: of the patch as written into the file; null where infinite. ``evidence``:
  how ``lower`` is known. ``norm``, ``layer`` (number), ``node``, ``margin``, ``decision``.
- ``changed_weights``, ``linf``, ``l1``: of the patch known, whatever norm was minimised.
- ``goals``, ``margins``, ``outputs``: by input; ``confirmed``: whether onnxruntime, on the file
  as written and reloaded, meets every goal; ``impossible``: inputs that no change can reach.
- ``queries``: a list as in the report of a ground truth. ``nodes``, ``engine``, ``seconds``,
  ``note``, ``interrupted``.

With every layer asked for, one object with ``marapatch``: ``"patches"``, ``best`` (a number of a
layer, or null) and ``layers``: the list of these objects. ``check``, where asked for: ``inputs``,
``before``, ``after`` (accuracies) and ``changed`` (decisions that differ).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.patching.patch import Patch
from marapatch.problem.conditions import Rule
from marapatch.problem.replay import decided_in_float64
from marapatch.reporting.json_text import finite
from marapatch.reporting.rounded import rounded_down, rounded_up

SCHEMA_VERSION = 1
NORMS = {"linf": "L-inf", "l1": "L1", "l0": "L0"}


@dataclass(frozen=True)
class Drawdown:
    """What a patch does to other inputs: accuracy ``before`` and ``after`` on ``inputs`` of them,
    and how many decisions ``changed``."""

    inputs: int
    before: float
    after: float
    changed: int


def drawdown(
    network: Network, patched: Network, inputs: Array, labels: NDArray[np.int64], rule: Rule
) -> Drawdown:
    """Compare the decisions of two networks on labelled ``inputs`` (n, network inputs)."""
    before, after = (decided_in_float64(known, inputs, rule) for known in (network, patched))
    return Drawdown(
        len(inputs),
        float((before == labels).mean()),
        float((after == labels).mean()),
        int((before != after).sum()),
    )


def best(patches: Sequence[Patch]) -> Patch | None:
    """The patch of the layer with the least upper end; None where none is known."""
    known = [patch for patch in patches if patch.upper < inf]
    return min(known, key=lambda patch: patch.upper, default=None)


def status(patch: Patch) -> str:
    """``closed``, ``open``, ``none`` or ``already``: see the module."""
    if patch.already:
        return "already"
    if patch.infeasible:
        return "none"
    return "closed" if patch.closed else "open"


def summary(patch: Patch) -> str:
    """The answer in one sentence, its numbers rounded so that it stays true."""
    where = f"layer {patch.layer.number} ({patch.layer.node})"
    norm, asked = NORMS[patch.norm], f"(margin {patch.margin:g})"
    if patch.already:
        return f"{where}: the network meets every goal as it is: {norm} patch of size 0 {asked}"
    if patch.infeasible:
        return f"{where}: proved ({patch.evidence.value}): no change of it meets the goals {asked}"
    lower, upper = _ends(patch)
    if patch.upper == inf:
        return (
            f"{where}: {norm} patch at least {lower} ({patch.evidence.value}) {asked}; none found"
        )
    count = f"{patch.changed_weights} of {patch.layer.weights + patch.layer.biases} numbers"
    return (
        f"{where}: least {norm} patch in [{lower}, {upper}] ({patch.evidence.value}) {asked}, "
        f"changes {count}"
    )


def _ends(patch: Patch) -> tuple[str, str]:
    """Both ends of the bracket for people; counts as whole numbers."""
    if patch.norm == "l0":
        return f"{patch.lower:.0f}", f"{patch.upper:.0f}"
    return rounded_down(patch.lower), rounded_up(patch.upper)


def table(patches: Sequence[Patch]) -> Table:
    """A row a layer, the best one marked."""
    columns = (
        "",
        "layer",
        "lower",
        "upper",
        "changed",
        "L1",
        "L-inf",
        "seconds",
        "evidence",
        "status",
    )
    drawn = Table(*columns, box=None, pad_edge=False)
    for column in drawn.columns[1:8]:
        column.justify = "right"
    chosen = best(patches)
    for patch in patches:
        known = patch.delta is not None
        drawn.add_row(
            "*" if patch is chosen and len(patches) > 1 else "",
            str(patch.layer.number),
            *_ends(patch),
            str(patch.changed_weights) if known else "-",
            rounded_up(patch.size_l1) if known else "-",
            rounded_up(patch.size_linf) if known else "-",
            f"{patch.seconds:.1f}",
            patch.evidence.value,
            status(patch),
        )
    return drawn


def mapping(patches: Sequence[Patch]) -> str:
    """How the numbers of layers relate to those of tables that count activations too."""
    last = patches[-1].layer.number
    return (
        f"* the least patch (margin {patches[-1].margin:g}); layers are the affine maps, 0 to "
        f"{last}: map K lies between the neuron layers K and K + 1 of tables that count these, "
        "with the input as 0"
    )


def remarks(patch: Patch) -> list[str]:
    """Why an open bracket is open, and what else a reader must know; a line each."""
    lines = []
    if patch.note and status(patch) in ("open", "none"):
        lines.append(f"layer {patch.layer.number}: {patch.note}")
    if patch.confirmed is False:
        lines.append(
            f"layer {patch.layer.number}: the patch holds for the network's real-valued function, "
            "but onnxruntime decides otherwise (rounding); --margin asks for more"
        )
    return lines


def to_json(patch: Patch, **about: Any) -> dict[str, Any]:
    """One layer's answer as an object that :func:`marapatch.groundtruth.report.dump` can write."""
    source = patch.network.source
    return {
        "marapatch": "patch",
        "schema_version": SCHEMA_VERSION,
        "status": status(patch),
        "lower": finite(patch.lower),
        "upper": finite(patch.upper),
        "evidence": patch.evidence.value,
        "norm": patch.norm,
        "layer": patch.layer.number,
        "node": patch.layer.node,
        "margin": patch.margin,
        "tolerance": patch.tolerance,
        "changed_weights": patch.changed_weights,
        "linf": patch.size_linf,
        "l1": patch.size_l1,
        "goals": [goal.text for goal in patch.goals],
        "margins": None if patch.margins is None else patch.margins.tolist(),
        "outputs": None if patch.outputs is None else patch.outputs.tolist(),
        "confirmed": patch.confirmed,
        "impossible": list(patch.impossible),
        "engine": patch.engine,
        "queries": [asdict(query) for query in patch.queries],
        "nodes": patch.nodes,
        "seconds": patch.seconds,
        "note": patch.note,
        "interrupted": patch.interrupted,
        "network": {
            "path": None if source is None else source.path,
            "sha256": None if source is None else source.sha256,
        },
        **about,
    }


def all_to_json(patches: Sequence[Patch], **about: Any) -> dict[str, Any]:
    """The answers of several layers as one object."""
    chosen = best(patches)
    return {
        "marapatch": "patches",
        "schema_version": SCHEMA_VERSION,
        "best": None if chosen is None else chosen.layer.number,
        "layers": [to_json(patch) for patch in patches],
        **about,
    }
