"""Interval propagation: bounds that follow from the constraints, rounded outwards.

Used where an engine needs finite bounds (big-M). Vectorised a row; sound, never complete.
"""

from __future__ import annotations

from math import inf
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from marapatch.query.query import Query
from marapatch_encodings.terms import Abs, Constraint, Disjunction, Max, Relu, Row

Array = NDArray[np.float64]

PROPAGATION_ROUNDS = 20
"""Rounds over all constraints at most; a feed-forward network needs two."""

PROGRESS = 1e-3
"""A further round is made only where a bound became finite or its range shrank by this share."""

LARGEST = float(np.finfo(np.float64).max)

UNIT = 2.0**-53
"""The unit roundoff of float64."""


def propagate(query: Query, rounds: int = PROPAGATION_ROUNDS) -> tuple[Array, Array] | None:
    """Bounds (lower, upper) that every assignment of ``query`` meets; None where there is none.

    ``rounds``: over all constraints, at most.

    Exact real arithmetic is over-approximated: sums carry the bound ``2 (n + 4) u sum |terms|``
    on their rounding error (u the unit roundoff; Higham, "Accuracy and Stability of Numerical
    Algorithms", 3.1), so None is a rigorous proof that the query is infeasible. Needs a query
    that :func:`~marapatch.query.reduction.reduce` returned.
    """
    lower, upper = np.array(query.lower), np.array(query.upper)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(rounds):
            before = lower.copy(), upper.copy()
            for constraint in query.constraints:
                _tighten(constraint, lower, upper)
                if (lower > upper).any():
                    return None
            if not _progress(before, (lower, upper)):
                break
    return lower, upper


def activity(row: Row, lower: Array, upper: Array) -> tuple[float, float]:
    """An interval that contains ``sum_i coefficients[i] * x[i]`` for all x within the bounds."""
    c = row.coefficients
    with np.errstate(over="ignore"):
        low, high = c * lower[row.variables], c * upper[row.variables]
    smallest, largest = np.where(c > 0.0, low, high), np.where(c > 0.0, high, low)
    return _least_sum(smallest), -_least_sum(-largest)


def _least_sum(terms: Array) -> float:
    """No more than the sum of numbers that are at least ``terms``."""
    # A term that overflowed upwards is at least the largest number; a sum that did says nothing,
    # for what was to be taken off it may be as large. Minus infinity stays what it is.
    with np.errstate(over="ignore", invalid="ignore"):
        terms = np.minimum(terms, LARGEST)
        least = float(terms.sum() - _error(terms))
    return least if least <= LARGEST else -inf


def _error(terms: Array) -> float:
    """A bound on the rounding error of the sum of the finite terms and of the products in it."""
    finite = np.abs(terms[np.isfinite(terms)])
    smallest_normal = float(np.finfo(np.float64).tiny)
    # By product and sum at most u of what is added up, and 2^-1075 by product that underflows: the
    # smallest normal number is 2^53 times that.
    return float(2.0 * (terms.size + 4) * (UNIT * finite.sum() + smallest_normal))


def _tighten(constraint: Constraint, lower: Array, upper: Array) -> None:
    """Shrink ``lower`` and ``upper`` in place by what one constraint implies."""
    match constraint:
        case Row():
            _tighten_row(constraint, lower, upper)
        case Relu():
            x, y = constraint.input, constraint.output
            _meet(y, max(lower[x], 0.0), max(upper[x], 0.0), lower, upper)
            # relu(x) = 0 for every x <= 0: the output bounds its input from below only where it is
            # above 0. From above it does always, since x <= relu(x).
            _meet(x, lower[y] if lower[y] > 0.0 else -inf, upper[y], lower, upper)
        case Abs():
            x, y = constraint.input, constraint.output
            largest = max(-lower[x], upper[x])
            _meet(y, max(lower[x], -upper[x], 0.0), largest, lower, upper)
            # |x| >= l > 0 leaves x <= -l or x >= l: where the bounds of x exclude one piece, the
            # other one's end holds.
            low = lower[y] if lower[y] > 0.0 and lower[x] > -lower[y] else -upper[y]
            high = -lower[y] if lower[y] > 0.0 and upper[x] < lower[y] else upper[y]
            _meet(x, low, high, lower, upper)
        case Max():
            inputs = list(constraint.inputs)
            y = constraint.output
            _meet(y, float(lower[inputs].max()), float(upper[inputs].max()), lower, upper)
            for x in inputs:
                _meet(x, -inf, float(upper[y]), lower, upper)
        case Disjunction():
            _tighten_disjunction(constraint, lower, upper)
        case _:
            assert_never(constraint)


def _meet(i: int, low: float, high: float, lower: Array, upper: Array) -> None:
    lower[i], upper[i] = max(lower[i], low), min(upper[i], high)


def _tighten_row(row: Row, lower: Array, upper: Array) -> None:
    if row.sense in ("<=", "="):
        _tighten_half(row.variables, row.coefficients, row.rhs, lower, upper)
    if row.sense in (">=", "="):
        _tighten_half(row.variables, -row.coefficients, -row.rhs, lower, upper)


def _tighten_half(
    variables: NDArray[np.int64], c: Array, rhs: float, lower: Array, upper: Array
) -> None:
    """Tighten by ``c @ x <= rhs``: each term is at most rhs minus the least sum of the others."""
    smallest = np.where(c > 0.0, c * lower[variables], c * upper[variables])
    infinite = np.isneginf(smallest)
    count = int(infinite.sum())
    # With two infinite terms every variable has another one that is unbounded; with one, that one
    # alone is bounded by the rest.
    if count > 1 or (smallest == inf).any():
        return
    finite = np.where(infinite, 0.0, smallest)
    others = finite.sum() - finite if count == 0 else np.where(infinite, finite.sum(), -inf)
    # The sum's error, and as much again for taking a term out of it; then that of rhs.
    slack = 2.0 * _error(finite) + 8.0 * UNIT * abs(rhs)
    with np.errstate(over="ignore", invalid="ignore"):
        bound = (rhs - others + slack) / c
    positive = c > 0.0
    far = np.where(positive, inf, -inf)
    # The quotient rounds as well: one number further out. A sum that overflowed bounds nothing.
    usable = np.isfinite(bound) & np.isfinite(finite.sum())
    bound = np.where(usable, np.nextafter(bound, far), far)
    upper[variables] = np.where(positive, np.minimum(upper[variables], bound), upper[variables])
    lower[variables] = np.where(positive, lower[variables], np.maximum(lower[variables], bound))


def _tighten_disjunction(constraint: Disjunction, lower: Array, upper: Array) -> None:
    """The hull of what the cases imply; an impossible case contributes nothing."""
    hull_lower, hull_upper = np.full_like(lower, inf), np.full_like(upper, -inf)
    for case in constraint.cases:
        low, high = lower.copy(), upper.copy()
        for row in case:
            _tighten_row(row, low, high)
        if (low <= high).all():
            hull_lower, hull_upper = np.minimum(hull_lower, low), np.maximum(hull_upper, high)
    lower[:], upper[:] = hull_lower, hull_upper


def _progress(before: tuple[Array, Array], after: tuple[Array, Array]) -> bool:
    became_finite = np.isfinite(after[0]) & ~np.isfinite(before[0])
    became_finite |= np.isfinite(after[1]) & ~np.isfinite(before[1])
    both = np.isfinite(before[0]) & np.isfinite(before[1])
    old, new = (before[1] - before[0])[both], (after[1] - after[0])[both]
    return bool(became_finite.any() or (new < (1.0 - PROGRESS) * old).any())
