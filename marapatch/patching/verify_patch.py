"""The only place that makes a patch count: the change as it would be written, judged on the
original network with the change in it, on every input.

Trusted: float64 arithmetic and the network as read. Not trusted: whoever proposes the change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.network.onnx.session import OnnxSession
from marapatch.network.onnx.writer import to_onnx
from marapatch.patching.changes import Changes
from marapatch.patching.goals import Goal
from marapatch.problem.norm import Norm
from marapatch.problem.verdict import Witness

ENLARGED = (1.0, 1.0 + 1e-6, 1.0 + 1e-5, 1.0 + 1e-4, 1.0 + 3e-4, 1.0 + 1e-3)
"""A claimed change that falls short is tried a little larger too: solvers claim what lies on the
edge. What counts is measured on what is judged."""


@dataclass(frozen=True, eq=False)
class VerifiedPatch:
    """A change that meets every goal.

    ``change``: of all numbers of the layer, as written (new number minus old one, float64).
    ``size``: its norm, rounded up. ``margins``: by input, by how much the goal is exceeded on
    the real-valued network, evaluation error already subtracted (so > 0). ``outputs``: (n,
    outputs). ``confirmed``: whether onnxruntime, run on the file as it would be written, meets
    the goals too (None where it cannot be written as ONNX).
    """

    change: Array
    size: float
    margins: Array
    outputs: Array
    confirmed: bool | None


@dataclass(frozen=True, eq=False)
class PatchVerifier:
    """Judges changes of one layer of ``network`` on ``inputs`` (n, inputs)."""

    network: Network
    changes: Changes
    inputs: NDArray[np.floating]
    goals: tuple[Goal, ...]
    norm: Norm

    def __call__(self, change: Array) -> VerifiedPatch | None:
        """The change as written and judged, or None where it does not meet every goal."""
        if not np.isfinite(change).all():
            return None
        written = self.changes.rounded(change)
        if written is None:
            return None
        patched = self.changes.apply(self.network, written)
        new = np.concatenate(
            [part.reshape(-1) for part in patched.weights(self.changes.layer.node)]
        )
        evaluated = self.evaluate(patched)
        if evaluated is None:
            return None
        outputs, margins = evaluated
        size = self.norm.between(new, self.changes.old)
        confirmed = confirm(patched, self.inputs, self.goals)
        return VerifiedPatch(new - self.changes.old, size, margins, outputs, confirmed)

    def evaluate(self, network: Network) -> tuple[Array, Array] | None:
        """Outputs and margins of all inputs, or None where a goal is not certainly met."""
        form = network.standard_form
        computed = form.evaluate(self.inputs.astype(np.float64))
        nothing = np.zeros(form.outputs)
        if any(
            goal.surplus(y, nothing) <= 0.0 for goal, y in zip(self.goals, computed, strict=True)
        ):
            return None
        outputs, margins = [], []
        for x, goal in zip(self.inputs.astype(np.float64), self.goals, strict=True):
            y, error = form.evaluation_error(x)
            margin = goal.surplus(y, error)
            if not margin > 0.0:
                return None
            outputs.append(y)
            margins.append(margin)
        return np.array(outputs), np.array(margins)


def confirm(network: Network, inputs: NDArray[np.floating], goals: Sequence[Goal]) -> bool | None:
    """Whether onnxruntime, given the file of ``network``, meets every goal; None without a file."""
    try:
        content = to_onnx(network)
    except InputError:
        return None
    outputs = run_onnx(content, inputs, network)
    if outputs is None:
        return None
    nothing = np.zeros(network.outputs)
    return all(goal.surplus(y, nothing) > 0.0 for goal, y in zip(goals, outputs, strict=True))


def run_onnx(content: bytes, inputs: NDArray[np.floating], network: Network) -> Array | None:
    """The outputs (n, outputs) of onnxruntime, float64, those of a Softmax as scores; None where
    the file ends otherwise, or onnxruntime does not run it."""
    session = OnnxSession.of(content)
    outputs = []
    for x in inputs.astype(network.input_dtype):
        y = session.outputs(x.reshape(network.input_shape))
        if y is None or y.size != network.outputs:
            return None  # the file ends in an ArgMax, which was dropped
        outputs.append(y.reshape(-1).astype(np.float64))
    return network.output_transform.scores(np.array(outputs))


@dataclass(eq=False)
class Replays:
    """A judge seen by a search: its vectors become changes, and changes its vectors.

    ``spread``: the change that a vector of the search stands for. ``seen``: the vector that a
    change as written stands for. What was judged is kept for each witness.
    """

    verifier: PatchVerifier
    spread: Callable[[Array], Array]
    seen: Callable[[Array], Array]
    kept: list[tuple[Witness, VerifiedPatch]] = field(default_factory=list)

    def __call__(self, claimed: Array) -> Witness | None:
        """The witness made of a claimed vector, or None where the change does not do."""
        if not np.isfinite(claimed).all():
            return None
        change = self.spread(claimed)
        for enlarged in ENLARGED:
            verified = self.verifier(enlarged * change)
            if verified is not None:
                return self.keep(verified)
        return None

    def keep(self, verified: VerifiedPatch) -> Witness:
        """The witness of what was judged already."""
        vector = self.seen(verified.change)
        margin = float(verified.margins.min())
        outputs = verified.outputs.reshape(-1)
        witness = Witness(vector, verified.size, margin, outputs, verified.confirmed)
        self.kept.append((witness, verified))
        return witness

    def of(self, witness: Witness) -> VerifiedPatch:
        """What was judged when ``witness`` was made."""
        for known, verified in reversed(self.kept):
            if known is witness:
                return verified
        raise KeyError("a witness that was not made here")
