"""What is reported of a ground truth: tables for people, JSON for programs.

The JSON (schema version 1) is one object:

- ``marapatch``: the kind of result, ``"groundtruth"``. ``schema_version``: 1.
- ``status``: ``"closed"`` (what was asked is known to the tolerance), ``"open"``, ``"none"``
  (proved: no input in the box is decided as a target) or ``"already"`` (the input itself is
  decided otherwise than its label: distance 0).
- ``norm``, ``decision``, ``label`` and ``decided`` (what the network decides on the input).
- ``lower``, ``upper``, ``evidence``: of the nearest over the targets asked. JSON has no infinity:
  ``lower`` is null where it is infinite (status ``"none"``), ``upper`` where no witness is known.
- ``witness``: the path to which the nearest witness was written, or null. ``confirmed``: whether
  onnxruntime decides it so too; null where there is none, or onnxruntime does not say.
- ``targets``: a list of objects with ``target``, ``status`` (as above, or ``"farther"``: proved
  not to be nearer than the nearest witness, which is all that was asked), ``lower``, ``upper``,
  ``evidence``, ``witness``, ``witness_margin`` (by how much the target leads every rival at the
  witness), ``witness_confirmed`` (whether onnxruntime decides the same; null where not asked),
  ``witness_input`` (its numbers; null where all would be too many), ``queries``, ``nodes``,
  ``seconds`` and ``note``.
- ``queries``: a list of objects with ``radius``, ``verdict`` (``"sat"``, ``"unsat"`` or
  ``"unknown: reason"``), ``seconds``, ``variables``, ``rows``, ``relus`` and ``backend``.
- ``question``: what is asked, for ``--from``: the network's ``network`` (sha256), ``image`` and
  ``box`` (sha256 of their float64 numbers), ``norm``, ``decision``, ``margin``, ``label``,
  ``targets``. ``from``: the result that this one began with, or null; where ``evidence`` is
  ``"file"`` the lower end is that file's word.
- ``seconds``, ``interrupted``, ``network`` (``path``, ``sha256``, ``format``, ``input_shape``,
  ``outputs``), ``image``, ``options`` and ``versions``.

Distances are in the units of the network's input. Every number is written in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from math import inf
from typing import Any

import numpy as np
from rich.table import Table

from marapatch.groundtruth.earlier import question_of
from marapatch.groundtruth.result import GroundTruth, TargetResult
from marapatch.problem.verdict import Evidence, Witness
from marapatch.reporting.json_text import finite, plain
from marapatch.reporting.rounded import rounded_down, rounded_up

SCHEMA_VERSION = 1
MOST_NUMBERS = 200_000
"""Numbers of all witnesses together that a report holds."""

MOST_ROWS = 30
"""Targets that a table shows, and that a remark names."""


def status(result: GroundTruth) -> str:
    """``closed``, ``open``, ``none`` or ``already``: see the module."""
    if result.already:
        return "already"
    if result.closed:
        return "none" if result.lower == inf else "closed"
    return "open"


def target_status(result: GroundTruth, target: TargetResult) -> str:
    """``closed``, ``open``, ``none`` or ``farther``: see the module."""
    if target.lower == inf:
        return "none"
    if target.bracket.closed(result.options.tolerance):
        return "closed"
    if result.nearest_only and target.lower >= result.upper - result.options.tolerance:
        return "farther"
    return "open"


def to_json(
    result: GroundTruth,
    *,
    witness: str | None = None,
    witnesses: Mapping[int, str] | None = None,
    **about: Any,
) -> dict[str, Any]:
    """The result as an object of JSON; the module describes the schema.

    ``witness``: where the nearest witness was written; ``witnesses``: those of targets, by target.
    ``about``: what else belongs into the report (``decision``, ``image``, ``versions``).
    """
    network, source = result.network, result.network.source
    paths = witnesses or {}
    return {
        "marapatch": "groundtruth",
        "schema_version": SCHEMA_VERSION,
        "status": status(result),
        "norm": result.norm.value,
        "label": result.label,
        "decided": result.decided,
        "lower": finite(result.lower),
        "upper": finite(result.upper),
        "evidence": result.evidence.value,
        "witness": witness,
        "confirmed": _confirmed(result),
        "targets": [_target(result, t, paths.get(t.target)) for t in result.targets],
        "question": question_of(
            network,
            result.ball,
            result.rule,
            result.options.margin,
            result.label,
            [t.target for t in result.targets],
        ),
        "from": result.earlier,
        "seconds": result.seconds,
        "interrupted": result.interrupted,
        "network": {
            "path": None if source is None else source.path,
            "sha256": None if source is None else source.sha256,
            "format": None if source is None else source.format,
            "input_shape": list(network.input_shape),
            "outputs": network.outputs,
        },
        "options": {
            field.name: plain(getattr(result.options, field.name))
            for field in fields(result.options)
        },
        **about,
    }


def summary(result: GroundTruth) -> str:
    """The answer in one sentence, its numbers rounded so that it stays true."""
    norm = {"linf": "L-inf", "l1": "L1"}[result.norm.value]
    if result.already:
        return f"already decided {result.decided}, not {result.label}: the {norm} distance is 0"
    targets = [t.target for t in result.targets]
    goal = f"as {targets[0]}" if len(targets) == 1 else "as another class"
    if result.nearest_only and 1 < len(targets) < result.network.outputs - 1:
        goal = f"as one of {', '.join(map(str, targets))}"
    if result.lower == inf:
        return f"proved ({result.evidence.value}): no input in the box is decided {goal}"
    lower, upper = rounded_down(result.lower), rounded_up(result.upper)
    answer = f"nearest input decided {goal} instead of {result.label}: "
    if result.upper == inf:
        return f"{answer}{norm} distance at least {lower} ({result.evidence.value}); none was found"
    nearest = min(result.targets, key=lambda t: t.upper).target
    found = f", found as {nearest}" if len(targets) > 1 else ""
    return f"{answer}{norm} distance in [{lower}, {upper}] ({result.evidence.value}){found}"


def table(result: GroundTruth) -> Table:
    """A row a target: lower, upper, gap, queries, seconds, evidence, status.

    Of more than :data:`MOST_ROWS` targets only those with the nearest witnesses have a row.
    """
    columns = ("target", "lower", "upper", "gap", "queries", "seconds", "evidence", "status")
    drawn = Table(*(column for column in columns), box=None, pad_edge=False)
    for column in drawn.columns[:6]:
        column.justify = "right"
    for t in _shown(result):
        drawn.add_row(
            str(t.target),
            rounded_down(t.lower),
            rounded_up(t.upper),
            rounded_up(t.bracket.gap),
            str(len(t.queries)),
            f"{t.seconds:.1f}",
            t.evidence.value,
            target_status(result, t),
        )
    return drawn


def _shown(result: GroundTruth) -> Sequence[TargetResult]:
    if len(result.targets) <= MOST_ROWS:
        return result.targets
    nearest = sorted(result.targets, key=lambda t: (t.upper, t.lower, t.target))[:MOST_ROWS]
    return sorted(nearest, key=lambda t: t.target)


def remarks(result: GroundTruth) -> list[str]:
    """Why open brackets are open, and what else a reader must know; a line each, but one for all
    targets of which there are many and the same is to be said."""
    open_for: dict[str, list[str]] = {}
    for t in result.targets:
        if t.note and target_status(result, t) == "open":
            open_for.setdefault(t.note, []).append(str(t.target))
    lines = []
    for note, targets in open_for.items():
        if len(targets) <= MOST_ROWS:
            lines += [f"target {target}: {note}" for target in targets]
        else:
            lines.append(f"{len(targets)} targets: {note}")
    said = sorted(t.target for t in result.targets if t.evidence is Evidence.FILE)
    if said:
        names = ", ".join(map(str, said)) if len(said) <= MOST_ROWS else f"{len(said)} of them"
        lines.append(
            f"targets {names}: the lower end is the word of {result.earlier}, handed on and not "
            "proved anew"
        )
    if len(result.targets) > MOST_ROWS:
        left_out = len(result.targets) - MOST_ROWS
        lines.insert(0, f"{left_out} more targets, none with a nearer witness: see --json")
    lines += [
        f"target {t.target}: the witness holds for the network's real-valued function, but "
        "onnxruntime decides it otherwise (rounding); --margin asks for more"
        for t in result.targets
        if t.witness is not None and t.witness.confirmed is False
    ]
    return lines


def _confirmed(result: GroundTruth) -> bool | None:
    if result.own is not None:
        return result.own.confirmed
    nearest = min(result.targets, key=lambda t: t.upper).witness
    return None if nearest is None else nearest.confirmed


def _target(result: GroundTruth, target: TargetResult, path: str | None) -> dict[str, Any]:
    witness = target.witness
    return {
        "target": target.target,
        "status": target_status(result, target),
        "lower": finite(target.lower),
        "upper": finite(target.upper),
        "evidence": target.evidence.value,
        "witness": path,
        "witness_input": _written(result, witness),
        "witness_margin": None if witness is None else witness.margin,
        "witness_confirmed": None if witness is None else witness.confirmed,
        "queries": [asdict(query) for query in target.queries],
        "nodes": target.nodes,
        "seconds": target.seconds,
        "note": target.note,
    }


def _written(result: GroundTruth, witness: Witness | None) -> list[float] | None:
    """The numbers of a witness, unless the report would become too large by them."""
    if witness is None or witness.input.size * len(result.targets) > MOST_NUMBERS:
        return None
    numbers: list[float] = witness.input.astype(np.float64).reshape(-1).tolist()
    return numbers
