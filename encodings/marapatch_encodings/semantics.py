"""What a constraint means at a point: the oracle against which every encoding is tested.

Written from the definitions in :mod:`marapatch_encodings.terms` alone; it shares nothing with the
encodings. Sums are rounded once (``math.fsum``) and products once each, so that small numbers with
few digits are judged exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import fsum, inf, isfinite
from typing import assert_never

from numpy import asarray, float64
from numpy.typing import ArrayLike, NDArray

from marapatch_encodings.terms import Abs, Constraint, Disjunction, Max, Relu, Row


def holds(constraint: Constraint, assignment: ArrayLike, tolerance: float = 0.0) -> bool:
    """Whether ``constraint`` is violated by no more than ``tolerance`` at ``assignment``.

    ``assignment``: one value a variable, by variable number.
    """
    return violation(constraint, assignment) <= tolerance


def violation(constraint: Constraint, assignment: ArrayLike) -> float:
    """By how much ``constraint`` fails at ``assignment``: 0 where it holds, otherwise > 0.

    A row: the amount by which the left-hand side misses the right. ReLU, absolute value, maximum:
    the distance of the output from its right value. A disjunction: over its cases the least of
    the worst row. Infinite where a value involved is NaN or infinite, or where nothing can help (a
    disjunction without cases).

    Raises IndexError where the assignment is too short, ValueError for a maximum of nothing.
    """
    return _violation(constraint, asarray(assignment, dtype=float64))


def worst_violation(constraints: Iterable[Constraint], assignment: ArrayLike) -> float:
    """The largest :func:`violation` over ``constraints``; 0 where there are none."""
    values = asarray(assignment, dtype=float64)
    return max((_violation(constraint, values) for constraint in constraints), default=0.0)


def _violation(constraint: Constraint, values: NDArray[float64]) -> float:
    match constraint:
        case Row():
            return _row_violation(constraint, values)
        case Relu(input=x, output=y):
            return _distance(float(values[y]), max(0.0, float(values[x])), float(values[x]))
        case Abs(input=x, output=y):
            return _distance(float(values[y]), abs(float(values[x])))
        case Max(inputs=xs, output=y):
            entries = [float(values[x]) for x in xs]
            return _distance(float(values[y]), max(entries), *entries)
        case Disjunction(cases=cases):
            worst = (max((_violation(row, values) for row in case), default=0.0) for case in cases)
            return min(worst, default=inf)
        case _:
            assert_never(constraint)


def _row_violation(row: Row, values: NDArray[float64]) -> float:
    products = (row.coefficients * values[row.variables]).tolist()
    if not all(map(isfinite, products)):
        return inf
    gap = fsum((*products, -row.rhs))
    match row.sense:
        case "<=":
            return max(0.0, gap)
        case ">=":
            return max(0.0, -gap)
        case "=":
            return abs(gap)
        case _:
            assert_never(row.sense)


def _distance(value: float, right: float, *others: float) -> float:
    """``|value - right|``, infinite unless every number involved is finite."""
    if not all(map(isfinite, (value, right, *others))):
        return inf
    return abs(value - right)
