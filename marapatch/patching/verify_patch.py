"""The only place that makes a patch count: the change as it would be written, verified on
the original network with the change in it, on every input.

Trusted: float64 arithmetic and the network as read. Not trusted: whoever proposes the change.
Letters: :mod:`marapatch.patching.formulation`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.network.onnx.outputs import run_onnx
from marapatch.network.onnx.writer import to_onnx
from marapatch.patching.free_weights import FreeWeights
from marapatch.patching.goals import Goal
from marapatch.problem.norm import Norm
from marapatch.problem.verdict import Replayed

ENLARGED = (1.0, 1.0 + 1e-6, 1.0 + 1e-5, 1.0 + 1e-4, 1.0 + 3e-4, 1.0 + 1e-3)
"""A claimed change that falls short is tried a little larger too: solvers claim what lies on the
edge. What counts is measured on what is verified."""


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
    weights: FreeWeights
    inputs: NDArray[np.floating]
    goals: tuple[Goal, ...]
    norm: Norm

    def take(self, i: int) -> PatchVerifier:
        """The same of input ``i`` alone."""
        one = slice(i, i + 1)
        return replace(self, inputs=self.inputs[one], goals=self.goals[one])

    def __call__(self, change: Array) -> VerifiedPatch | None:
        """The change as written and verified, or None where it does not meet every goal."""
        if not np.isfinite(change).all():
            return None
        written = self.weights.rounded(change)
        if written is None:
            return None
        # From here on only what the file would hold counts: new numbers are read back from the
        # patched network, and the size is that of their exact difference to the old ones.
        patched = self.weights.apply(self.network, written)
        new = np.concatenate(
            [part.reshape(-1) for part in patched.weights(self.weights.layer.node)]
        )
        evaluated = self.evaluate(patched)
        if evaluated is None:
            return None
        outputs, margins = evaluated
        # Rounded up, also where a difference is no float64 number: an upper end is never
        # understated.
        size = self.norm.between(new, self.weights.old)
        # Only said beside the answer. In single precision a lead that real arithmetic has may be
        # lost, so that a contradiction takes nothing back.
        confirmed = confirm(patched, self.inputs, self.goals)
        return VerifiedPatch(new - self.weights.old, size, margins, outputs, confirmed)

    def unchanged(self) -> VerifiedPatch | None:
        """No change at all, where that is enough; nothing is asked of onnxruntime then."""
        already = self.evaluate(self.network)
        if already is None:
            return None
        outputs, margins = already
        return VerifiedPatch(np.zeros(self.weights.numbers), 0.0, margins, outputs, None)

    def evaluate(self, network: Network) -> tuple[Array, Array] | None:
        """Outputs and margins of all inputs, or None where a goal is not certainly met."""
        form = network.standard_form
        # A first look in plain float64, all inputs at once: most proposals already fail there, and
        # a pass with error bounds costs one evaluation an input.
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
            # ``not >`` and not ``<=``: a margin that overflowed into NaN is not met.
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
    # No error is subtracted, since it is onnxruntime's own numbers that are asked about.
    nothing = np.zeros(network.outputs)
    return all(goal.surplus(y, nothing) > 0.0 for goal, y in zip(goals, outputs, strict=True))


@dataclass(frozen=True, eq=False)
class PatchPoint:
    """A verified patch as a search sees it: ``input`` is the vector that stands for it."""

    input: Array
    verified: VerifiedPatch

    @property
    def distance(self) -> float:
        """The size of the patch as written, rounded up."""
        return self.verified.size

    @property
    def margin(self) -> float:
        """The least margin over the inputs."""
        return float(self.verified.margins.min())

    @property
    def outputs(self) -> Array:
        """Of all inputs, one after the other."""
        return self.verified.outputs.reshape(-1)

    @property
    def confirmed(self) -> bool | None:
        """Whether onnxruntime, on the file as written, meets every goal."""
        return self.verified.confirmed


@dataclass(eq=False)
class Replays:
    """A verifier seen by a search: its vectors become changes, and changes its vectors.

    ``spread``: the change that a vector of the search stands for. ``seen``: the vector that a
    change as written stands for. ``kept``: every patch that was verified.
    """

    verifier: PatchVerifier
    spread: Callable[[Array], Array]
    seen: Callable[[Array], Array]
    kept: list[PatchPoint] = field(default_factory=list)

    def __call__(self, claimed: Array) -> PatchPoint | None:
        """The point made of a claimed vector, or None where the change does not do."""
        if not np.isfinite(claimed).all():
            return None
        change = self.spread(claimed)
        # The smallest first: the first that is verified is the nearest of these, and is measured as
        # written.
        for enlarged in ENLARGED:
            verified = self.verifier(enlarged * change)
            if verified is not None:
                # Kept, so that an interruption does not lose what was verified. The vector is that
                # of the change as written, which rounding has moved away from the claim.
                self.kept.append(PatchPoint(self.seen(verified.change), verified))
                return self.kept[-1]
        return None

    def of(self, found: Replayed) -> VerifiedPatch:
        """The patch that was verified when ``found`` was made."""
        if not isinstance(found, PatchPoint):
            raise TypeError("a point that is no patch")
        return found.verified
