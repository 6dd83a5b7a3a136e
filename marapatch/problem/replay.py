"""The only place that makes a :class:`~marapatch.problem.verdict.Witness`: a claim is re-evaluated.

Every statement about what a network decides at an input is made here too. Trusted: float64
arithmetic as :mod:`marapatch.arithmetic.float_model` says, exact rational arithmetic where that
cannot tell, and the network as read. Not trusted: whoever proposes the input.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import inf

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.arithmetic.float_model import SMALL, gamma
from marapatch.network.exact import can_be_exact, exact_outputs, near
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.network.onnx.session import OnnxSession
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition, Rule
from marapatch.problem.verdict import Witness

INPUTS_AT_ONCE = 256
"""So many inputs are evaluated at once where decisions are counted."""


@dataclass(frozen=True, eq=False)
class Replay:
    """Judges claimed witnesses on ``network``.

    ``ball``: its centre, norm and box (the radius does not matter). The centre must be
    representable in the network's input type.
    """

    network: Network
    ball: Ball
    condition: OutputCondition

    def __call__(self, claimed: Array) -> Witness | None:
        """The witness made of ``claimed`` (inputs,), or None where it does not hold.

        The claim is rounded to the file's input type inside the box; what is measured and
        evaluated is that rounded vector. Every row of the condition must be met by more than the
        bound on the evaluation error; where that cannot tell, the network is evaluated exactly,
        and rows that are not strict may be met by equality.
        """
        vector = round_into_box(claimed, self.ball, self.network.input_dtype)
        if vector is None:
            return None
        x = vector.astype(np.float64)
        found = self._lead(x)
        if found is None:
            return None
        margin, outputs = found
        # Of the rounded vector, and rounded up: an upper end must not be understated.
        distance = self.ball.norm.between(x, self.ball.centre)
        shaped = vector.reshape(self.network.input_shape)
        return Witness(shaped, distance, margin, outputs, self._confirm(shaped))

    def _lead(self, x: Array) -> tuple[float, Array] | None:
        """The least slack of the condition's rows at ``x``, rounded down, and the outputs; None
        where the condition is not met, or nobody can tell."""
        with np.errstate(over="ignore", invalid="ignore"):
            outputs, error = self.network.standard_form.evaluation_error(x)
            slack = self.condition.slack(outputs[None])[0]
            size = np.abs(self.condition.matrix) @ np.abs(outputs) + np.abs(self.condition.rhs)
            # |C y - C y~| <= |C| error for the outputs y~ as computed, gamma for C y~ - d in
            # float64; the next line pays for the rounding of this bound itself and for what
            # underflows in it.
            doubt = np.abs(self.condition.matrix) @ error + gamma(outputs.size + 2) * size
            doubt = doubt * (1.0 + gamma(outputs.size)) + SMALL
            # Above 0 only where slack > doubt: a float64 difference has the sign of the true one.
            margin = float((slack - doubt).min())
        if margin > 0.0:
            return margin, outputs
        # A row that is surely not met needs no exact evaluation. NaN, of what overflowed, compares
        # false both times, and leaves it to the exact one.
        if (slack + doubt < 0.0).any() or not can_be_exact(self.network):
            return None
        exact = exact_outputs(self.network, x)
        if not self.condition.met_exactly(exact):
            return None
        return _below(min(self.condition.exact_slack(exact))), np.array([near(y) for y in exact])

    def _confirm(self, vector: NDArray[np.floating]) -> bool | None:
        """Whether onnxruntime on the file as given meets the condition too; None where there is no
        ONNX file, or onnxruntime does not run it."""
        outputs = None if self._session is None else self._session.outputs(vector)
        if outputs is None or outputs.size != self.condition.matrix.shape[1]:
            return None  # the file ends in an ArgMax, which was dropped
        flat = outputs.reshape(1, -1).astype(np.float64)
        slack = self.condition.slack(self.network.output_transform.scores(flat))[0]
        strict = self.condition.strict
        return bool((slack >= 0.0).all() and (strict is None or (slack[strict] > 0.0).all()))

    def __getstate__(self) -> dict[str, object]:
        """Without the session, which no other process can be given: each makes its own."""
        return {name: value for name, value in vars(self).items() if name != "_session"}

    @cached_property
    def _session(self) -> OnnxSession | None:
        source = self.network.source
        if source is None or source.format != "onnx":
            return None
        return OnnxSession.of(source.content)


def decided_class(network: Network, x: Array, rule: Rule) -> int:
    """What ``network`` decides at ``x`` (inputs,) in real arithmetic: the first of equal classes.

    Where rounding leaves several classes possible the network is evaluated exactly; where it is
    too large for that, the class that float64 gives.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        outputs, error = network.standard_form.evaluation_error(x)
        scores = rule.sign * outputs
        best = int(np.argmax(scores))
        # A step outward each, since sum and difference are rounded to nearest themselves.
        least = np.nextafter(scores[best] - error[best], -inf)
        others = np.delete(np.nextafter(scores + error, inf), best)
    # Strictly less: of equal classes the first is decided, and that may be another than `best`.
    if (others < least).all() or not can_be_exact(network):
        return best
    exact = [y if rule is Rule.ARGMAX else -y for y in exact_outputs(network, x)]
    return exact.index(max(exact))


def decided_in_float64(network: Network, inputs: Array, rule: Rule) -> NDArray[np.int64]:
    """What ``network`` decides on each of ``inputs`` (n, network inputs), (n,): as float64 has it,
    for counting decisions over many inputs; ties: the lowest class."""
    parts = [
        (rule.sign * network.evaluate(inputs[i : i + INPUTS_AT_ONCE])).argmax(axis=1)
        for i in range(0, len(inputs), INPUTS_AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def tie_note(network: Network, x: Array, condition: OutputCondition) -> str:
    """Why ``condition`` may have no witness although it cannot be refuted, for people: equality,
    which a proof has to refute, and which decides for another class. Empty where neither is so."""
    strict = condition.strict
    if strict is None or not strict.any():
        return ""
    output = network.standard_form.output
    difference = sp.csr_array(condition.matrix[strict])
    same = np.ones(int(strict.sum()), dtype=bool)
    for part in (*output.weights, output.bias[:, None]):
        # In float64, as nothing is proved by it: it words a note.
        same &= np.asarray(abs(difference @ part).sum(axis=1)).reshape(-1) == 0.0
    if same.any():
        return (
            "it equals an earlier class at every input, and of equal classes the first is decided: "
            "it is never decided, but a tie is not refuted"
        )
    if can_be_exact(network) and min(condition.exact_slack(exact_outputs(network, x))) == 0:
        return (
            "at the input itself it ties with the class decided; of equal classes the first is "
            "decided, but the lower end refutes ties too, and so stays at 0"
        )
    return ""


def _below(value: Fraction) -> float:
    """A float64 number >= 0 and not above ``value`` >= 0, near it."""
    rounded = min(near(value), float(np.finfo(np.float64).max))
    return rounded if Fraction(rounded) <= value else float(np.nextafter(rounded, 0.0))


def round_into_box(
    claimed: Array, ball: Ball, dtype: np.dtype[np.floating]
) -> NDArray[np.floating] | None:
    """``claimed`` as ``dtype``, every entry inside the box; None where an entry has no room.

    Entries that may not change become the centre's.
    """
    if not np.isfinite(claimed).all():
        return None
    free = ball.lower < ball.upper
    inside = np.where(free, np.clip(claimed, ball.lower, ball.upper), ball.centre)
    with np.errstate(over="ignore"):
        vector = inside.astype(dtype)
    # Rounding to nearest goes beyond an end by one step of the type at most, so one step back is
    # inside, if any number of the type near there is; `fits` sees whether.
    above, below = vector > ball.upper, vector < ball.lower
    vector[above] = np.nextafter(vector[above], dtype.type(-np.inf))
    vector[below] = np.nextafter(vector[below], dtype.type(np.inf))
    exact = vector.astype(np.float64)
    fits = (exact >= ball.lower) & (exact <= ball.upper) & np.isfinite(exact)
    return vector if fits.all() else None
