"""Judges claimed counterexamples of a property: what the file asks, at the very point claimed.

A counterexample is an input in the exact box of a case, whose outputs meet every row of one of its
alternatives. Trusted: float64 as :mod:`marapatch.arithmetic.float_model` says, exact arithmetic
where that cannot tell, and the network as read. Not trusted: whoever proposes the input.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from marapatch.arithmetic.exponentials import Interval
from marapatch.arithmetic.rationals import down, first_at_or_above, last_at_or_below, nearest, up
from marapatch.bounds.interval import interval_bounds
from marapatch.network.exact import can_be_exact, exact_outputs
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.network.onnx.session import OnnxSession
from marapatch.network.output_transform import OutputTransform
from marapatch.problem.ball import Ball
from marapatch.problem.softmax_conditions import estimate, holds
from marapatch.problem.specification import Alternative, ExactBox
from marapatch.problem.verdict import Witness

COMPETITION_TOLERANCE = Fraction(1, 10_000)
"""What the verification competition lets a counterexample miss a bound by, relative to numbers
above 1: granted to onnxruntime where it is given another point, rounded to the file's type."""

EXACT_EVALUATIONS = 32
"""Points at most that one replay evaluates exactly: where float64 cannot tell so often, the claims
are all on an edge."""


LARGEST = float(np.finfo(np.float64).max)


EXACT_POINTS = 50
"""Refuted claims that are kept."""

HOPELESS = 1e-6
"""A row over probabilities that is missed by more is not evaluated with certainty."""


@dataclass(frozen=True, eq=False)
class InnerBox:
    """The numbers of a file's input type in an exact box.

    ``lower``, ``upper``: of that type, (inputs,), each bound rounded into the box. ``between``:
    entries for which there is no such number, ``lower`` being above ``upper``: their exact values.
    """

    lower: NDArray[np.floating]
    upper: NDArray[np.floating]
    between: dict[int, Fraction]

    @staticmethod
    def of(box: ExactBox, dtype: np.dtype[np.floating]) -> InnerBox:
        """The box must be bounded and not empty."""
        lower, upper = (np.zeros(len(box.lower), dtype) for _ in range(2))
        between: dict[int, Fraction] = {}
        for i, (low, high) in enumerate(zip(box.lower, box.upper, strict=True)):
            assert low is not None
            assert high is not None
            below, above = i in box.open_below, i in box.open_above
            lower[i] = first_at_or_above(low, dtype, strict=below)
            upper[i] = last_at_or_below(high, dtype, strict=above)
            if lower[i] > upper[i] or not (np.isfinite(lower[i]) and np.isfinite(upper[i])):
                between[i] = _simple(low, high, closed=not (below or above))
        return InnerBox(lower, upper, between)

    def rounded(self, claimed: Array) -> NDArray[np.floating]:
        """``claimed`` (inputs,) as the file's type, inside the box where it can be; elsewhere the
        nearest numbers to the exact values."""
        with np.errstate(over="ignore"):
            vector = np.clip(claimed.astype(self.lower.dtype), self.lower, self.upper)
        for i, value in self.between.items():
            vector[i] = nearest(value)
        return np.asarray(vector)

    def exact(self, vector: NDArray[np.floating]) -> tuple[Fraction, ...]:
        """The point that ``vector``, from :meth:`rounded`, stands for."""
        values = [Fraction(value) for value in vector.astype(np.float64).tolist()]
        for i, value in self.between.items():
            values[i] = value
        return tuple(values)


def _simple(low: Fraction, high: Fraction, *, closed: bool) -> Fraction:
    """A number between two with few digits: a float64 number where there is one."""
    middle = Fraction(nearest((low + high) / 2))
    if low < middle < high:
        return middle
    return low if closed else (low + high) / 2


@dataclass(eq=False)
class PropertyReplay:
    """Judges claims about one alternative, ``rows``, of a case of a property.

    ``runs``: the file in onnxruntime, None where there is none. ``refuted``: scores, float64
    (outputs,), of the latest claims that do not meet ``rows`` over probabilities.
    ``contradicted``: a counterexample of the network, if any, that onnxruntime on the file does
    not find to be one: it is not given out.
    """

    network: Network
    inner: InnerBox
    rows: Alternative
    runs: OnnxSession | None
    refuted: deque[Array] = field(default_factory=lambda: deque(maxlen=EXACT_POINTS))
    contradicted: Witness | None = None
    evaluations: int = 0

    def __call__(self, claimed: Array) -> Witness | None:
        """The counterexample at ``claimed`` (inputs,), float64, moved into the box; None where it
        is none, nobody can tell, or onnxruntime contradicts it."""
        if not np.isfinite(claimed).all():
            return None
        vector = self.inner.rounded(claimed)
        point = self.inner.exact(vector)
        if self._probabilities and self._hopeless(vector):
            return None
        outputs, ranges = self._scores(vector)
        met = None if ranges is None else self._met(point, ranges)
        if met is None and self.evaluations < EXACT_EVALUATIONS and can_be_exact(self.network):
            self.evaluations += 1
            exact = exact_outputs(self.network, point)
            outputs = np.array([nearest(y) for y in exact])
            met = self._met(point, [(y, y) for y in exact])
        if met is False and self._probabilities:
            self.refuted.append(outputs)
        if not met:
            return None
        shaped = vector.reshape(self.network.input_shape)
        unrounded = point if self.inner.between else None
        witness = Witness(shaped, 0.0, 0.0, outputs, self._confirmed(shaped, point), unrounded)
        if witness.confirmed is False:
            self.contradicted = self.contradicted or witness
            return None
        return witness

    def _hopeless(self, vector: NDArray[np.floating]) -> bool:
        """Whether float64 says clearly that a row is missed: nothing is claimed by saying no."""
        scores = self.network.standard_form.evaluate(vector.astype(np.float64)[None])[0]
        transform = self.network.output_transform
        about = [estimate(row, transform, scores) for row in self.rows if row.outputs]
        if about and min(about) < -HOPELESS:
            self.refuted.append(scores)
            return True
        return False

    @cached_property
    def _probabilities(self) -> bool:
        return self.network.output_transform is not OutputTransform.NONE

    def _scores(self, vector: NDArray[np.floating]) -> tuple[Array, list[Interval] | None]:
        """The outputs of the network at the point that ``vector`` stands for, computed in float64,
        and for each an interval that holds the true one; None where one overflows."""
        x = vector.astype(np.float64)
        form = self.network.standard_form
        with np.errstate(over="ignore", invalid="ignore"):
            if self.inner.between:
                low_x, high_x = x.copy(), x.copy()
                for i, value in self.inner.between.items():
                    low_x[i], high_x[i] = down(value), up(value)
                centre = np.clip(x, low_x, high_x)
                ball = Ball.of_box(centre, low_x, high_x)
                low, high = interval_bounds(form, ball.with_radius(ball.covering_radius)).output
                outputs = form.evaluate(centre[None])[0]
            else:
                outputs, error = form.evaluation_error(x)
                low, high = (
                    np.nextafter(outputs - error, -np.inf),
                    np.nextafter(outputs + error, np.inf),
                )
        if not (np.isfinite(low) & np.isfinite(high)).all():
            return outputs, None
        pairs = zip(low.tolist(), high.tolist(), strict=True)
        return outputs, [(Fraction(a), Fraction(b)) for a, b in pairs]

    def _met(self, point: Sequence[Fraction], scores: Sequence[Interval]) -> bool | None:
        """Whether every row holds, for all scores in their intervals."""
        transform = self.network.output_transform
        answers = [holds(row, transform, point, scores) for row in self.rows]
        if False in answers:
            return False
        return None if None in answers else True

    def _confirmed(self, shaped: NDArray[np.floating], point: Sequence[Fraction]) -> bool | None:
        """Whether onnxruntime on the file as given meets the rows too; None where it cannot say.

        Where the point is no vector of the file's type, within the competition's tolerance.
        """
        given = None if self.runs is None else self.runs.outputs(shaped)
        if given is None or given.size != self.network.outputs:
            return None
        if np.isnan(given).any():
            return False
        finite = np.clip(given.astype(np.float64), -LARGEST, LARGEST)
        outputs = [Fraction(y) for y in finite.tolist()]
        if not self.inner.between:
            return all(row.holds(point, outputs) for row in self.rows)
        return all(
            row.surplus(point, outputs) >= -COMPETITION_TOLERANCE * max(Fraction(1), abs(row.rhs))
            for row in self.rows
        )
