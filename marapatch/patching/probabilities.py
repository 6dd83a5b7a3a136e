"""Goals on probabilities, or on their logarithms, where a network's file ends in Softmax.

A row such as P_t >= p is convex in the scores (:mod:`marapatch.problem.softmax_conditions`): its
tangents are linear rows that it implies, so no patch that meets the row is smaller than the least
that meets tangents. Whether a patch meets the row itself is decided with certainty.

Shapes: K classes, R rows; scores and bounds on their errors (K,), linear rows over scores (R, K).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from marapatch.arithmetic.exponentials import Interval
from marapatch.arithmetic.rationals import down, nearest
from marapatch.errors import InputError
from marapatch.network.layers import Array
from marapatch.network.output_transform import OutputTransform
from marapatch.problem.softmax_conditions import (
    Group,
    ScoreRow,
    estimate,
    holds,
    score_rows,
    tangent_at,
)
from marapatch.problem.specification import Alternative, LinearRow

SHARE_OF_ESTIMATE = 1.0 - 1e-6
"""What is reported of a surplus, if that much is certain."""

MAX_CORNERS = 16
"""Classes up to which a class is compared with each other one by itself from the start."""

LEAST = 5e-324
"""The smallest positive number: a goal is met with certainty, nobody knows by how much."""


@dataclass(frozen=True, eq=False)
class ProbabilityCondition:
    """Rows over the outputs of a file that ends in ``transform``: met where every row is.

    ``groups``: what they imply for the scores of ``classes``; of one row each.
    """

    rows: Alternative
    transform: OutputTransform
    groups: tuple[Group, ...]

    @staticmethod
    def of(rows: Alternative, transform: OutputTransform, classes: int) -> ProbabilityCondition:
        """InputError where a row is not convex in the scores, or never holds."""
        groups = []
        for row in rows:
            group = score_rows(row, transform, classes)
            # The row says nothing about the scores, so nothing less is asked without it; ``rows``
            # keeps it, and a patch is judged by these.
            if group is None:
                continue
            if not group:
                raise InputError(
                    f"a condition on the outputs of {transform.value} can never be met"
                )
            if len(group) > 1:
                raise InputError(
                    f"a condition on the outputs of {transform.value} is not convex in the scores "
                    "(such as an upper bound on one of three or more probabilities): a least "
                    "patch can be found for P_t >= p, for orders, and with two classes"
                )
            groups.append(group)
        return ProbabilityCondition(rows, transform, tuple(groups))

    def surplus(self, scores: Array, error: Array) -> float:
        """Above 0 where all rows are met with certainty and strictly, for scores within ``error``:
        then a lower bound on by how much. Else an estimate, at most 0."""
        about = min((estimate(row, self.transform, scores) for row in self.rows), default=np.inf)
        if not about > 0.0 or not (np.isfinite(scores) & np.isfinite(error)).all():
            return min(about, 0.0)
        ranges = _ranges(scores, error)
        # The estimate is of plain float64. What is reported is an amount, of it or less, that is
        # certain as a rational number: 0 says that the rows are met strictly, and not by how much.
        for amount in (SHARE_OF_ESTIMATE * about, 0.5 * about, 0.0):
            if self._met(ranges, Fraction(amount)):
                return max(float(amount), LEAST)
        return 0.0

    def missed(self, scores: Array, error: Array) -> bool:
        """Whether a row is not met, with certainty."""
        if not (np.isfinite(scores) & np.isfinite(error)).all():
            return False
        ranges = _ranges(scores, error)
        # None says that nobody can tell, and must not count as missed.
        return any(holds(row, self.transform, (), ranges) is False for row in self.rows)

    def linear(self, touching: Sequence[Array]) -> tuple[Array, Array]:
        """Linear rows over scores that the condition implies: (matrix, right-hand side).

        ``touching``: scores (classes,) at which tangents touch.
        """
        classes = touching[0].size
        found: list[ScoreRow] = []
        for (row,) in self.groups:
            found += _tangents(row, touching) if row.weight else [row]
        if not found:  # nothing is asked: a row that always holds stands for that
            return np.zeros((1, classes)), np.full(1, -1.0)
        matrix, rhs = np.zeros((len(found), classes)), np.zeros(len(found))
        for i, row in enumerate(found):
            for j, coefficient in row.scores.items():
                # A score may have either sign, so to round a coefficient to either side may ask for
                # more than the row does: it has to be exact. The right-hand side is rounded down,
                # and asks for less.
                matrix[i, j] = nearest(coefficient)
                if Fraction(float(matrix[i, j])) != coefficient:
                    raise InputError(
                        f"a condition on the outputs of {self.transform.value} has coefficients "
                        "with too many digits; give ones such as 1 and -0.5"
                    )
            rhs[i] = down(row.rhs)
        return matrix, rhs

    def lead(self, scores: Array) -> tuple[float, Array]:
        """The least surplus of the rows over scores, concave, and its derivative: (classes,)."""
        best, slope = np.inf, np.zeros(scores.size)
        for (row,) in self.groups:
            direction = np.zeros(scores.size)
            for j, c in row.scores.items():
                direction[j] = float(c)
            value = float(direction @ scores) - float(row.rhs)
            if row.weight:
                # LSE is convex, so the row is concave and this its derivative: minus the weight
                # times softmax. Neither the logarithm nor exponentials of shifted - joined <= 0
                # overflow.
                classes = list(row.offsets)
                shifted = scores[classes] + np.array([float(o) for o in row.offsets.values()])
                joined = np.logaddexp.reduce(shifted)
                value -= float(row.weight) * float(joined)
                direction[classes] -= float(row.weight) * np.exp(shifted - joined)
            if value < best:
                best, slope = value, direction
        return best, slope

    def _met(self, ranges: Sequence[Interval], more: Fraction) -> bool:
        """Whether every row is met strictly with ``more`` on its right-hand side."""
        stricter = [replace(row, rhs=row.rhs + more, strict=True) for row in self.rows]
        return all(holds(row, self.transform, (), ranges) is True for row in stricter)


def _tangents(row: ScoreRow, touching: Sequence[Array]) -> list[ScoreRow]:
    shares = {tangent_at(row, scores) for scores in touching}
    # LSE is at least each of its terms, the tangent with all of the share on one class. The largest
    # is within log(classes) of it wherever the scores are, also far from where the others touch.
    if len(row.offsets) <= MAX_CORNERS:
        shares.update(((j, Fraction(1)),) for j in row.offsets)
    return [row.tangent(dict(each)) for each in sorted(shares)]


def _ranges(scores: Array, error: Array) -> list[Interval]:
    # A difference rounds by no more than half of a step, so a step outward holds the true end.
    # Scores without an error stay points, at which a sign is decided exactly.
    low, high = np.nextafter(scores - error, -np.inf), np.nextafter(scores + error, np.inf)
    if not error.any():
        low = high = scores
    pairs = zip(low.tolist(), high.tolist(), strict=True)
    return [(Fraction(a), Fraction(b)) for a, b in pairs]


def rows_of(matrix: Array, rhs: Array) -> Alternative:
    """``matrix y >= rhs`` as exact rows over the file's outputs."""
    return tuple(
        LinearRow(
            {}, {j: Fraction(c) for j, c in enumerate(row) if c}, Fraction(right), strict=False
        )
        for row, right in zip(matrix.tolist(), rhs.tolist(), strict=True)
    )
