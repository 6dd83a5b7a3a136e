"""The exact projection of small sets of constraints, by enumerating every case.

Each piecewise-linear constraint is a union of polyhedra; every combination of them is one linear
program (scipy). Shares nothing with the encodings nor with the backends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from math import inf

import numpy as np
from scipy.optimize import linprog

from marapatch_encodings import Abs, Constraint, Disjunction, Max, Relu, Row, VariablePool, row

LP = 1e-6
"""The tolerance of results that come out of a linear program."""


def cases_of(constraint: Constraint) -> Sequence[tuple[Row, ...]]:
    """The polyhedra whose union ``constraint`` is."""
    match constraint:
        case Row():
            return [(constraint,)]
        case Relu(input=x, output=y):
            on = (row({y: 1.0, x: -1.0}, "=", 0.0), row({x: 1.0}, ">=", 0.0))
            return [on, (row({y: 1.0}, "=", 0.0), row({x: 1.0}, "<=", 0.0))]
        case Abs(input=x, output=y):
            positive = (row({y: 1.0, x: -1.0}, "=", 0.0), row({x: 1.0}, ">=", 0.0))
            return [positive, (row({y: 1.0, x: 1.0}, "=", 0.0), row({x: 1.0}, "<=", 0.0))]
        case Max(inputs=xs, output=y):
            return [
                (
                    row([(y, 1.0), (x, -1.0)], "=", 0.0),
                    *(row([(x, 1.0), (other, -1.0)], ">=", 0.0) for other in xs),
                )
                for x in xs
            ]
        case Disjunction(cases=cases):
            return cases


def extremes(
    pool: VariablePool,
    constraints: Iterable[Constraint],
    fixed: Mapping[int, float],
    objective: Mapping[int, float] | None = None,
) -> tuple[float, float] | None:
    """The least and greatest ``sum objective[v] * v`` over all solutions; None where there is none.

    Solutions respect the bounds of ``pool`` and the values ``fixed``. Right to about 1e-7.
    """
    objective = objective or {}
    bounds = [fixed_bounds(pool, v, fixed) for v in range(len(pool))]
    if any(low > high for low, high in bounds):
        return None
    weights = np.zeros(len(pool))
    for variable, weight in objective.items():
        weights[variable] = weight
    least, most = inf, -inf
    for choice in product(*(cases_of(constraint) for constraint in constraints)):
        rows = [r for case in choice for r in case]
        low = _minimum(weights, rows, bounds)
        if low is None:
            continue
        high = _minimum(-weights, rows, bounds)
        assert high is not None
        least, most = min(least, low), max(most, -high)
    return None if least > most else (least, most)


def fixed_bounds(
    pool: VariablePool, variable: int, fixed: Mapping[int, float]
) -> tuple[float, float]:
    """The bounds of ``variable``, cut to its fixed value where it has one."""
    lower, upper = pool.bounds(variable)
    if variable not in fixed:
        return lower, upper
    return max(lower, fixed[variable]), min(upper, fixed[variable])


def _minimum(
    weights: np.ndarray, rows: Sequence[Row], bounds: Sequence[tuple[float, float]]
) -> float | None:
    """The least of the objective, -inf where it has none; None where nothing is feasible."""
    at_most: list[tuple[np.ndarray, float]] = []
    equal: list[tuple[np.ndarray, float]] = []
    for r in rows:
        dense = np.zeros(len(bounds))
        dense[r.variables] = r.coefficients
        match r.sense:
            case "<=":
                at_most.append((dense, r.rhs))
            case ">=":
                at_most.append((-dense, -r.rhs))
            case "=":
                equal.append((dense, r.rhs))
    result = linprog(
        weights,
        A_ub=[a for a, _ in at_most] or None,
        b_ub=[b for _, b in at_most] or None,
        A_eq=[a for a, _ in equal] or None,
        b_eq=[b for _, b in equal] or None,
        bounds=bounds,
        method="highs",
    )
    match result.status:
        case 0:
            return float(result.fun)
        case 2:
            return None
        case 3:
            return -inf
        case other:
            raise AssertionError(f"linprog ended with status {other}: {result.message}")
