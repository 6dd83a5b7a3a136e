"""Exact simplifications every engine needs before it is asked: degenerate constraints removed.

Engines treat degenerate constraints badly: maraboupy 2.0.0 answers ``unsat`` to ``x = relu(x)``
and dies of a disjunction without cases. All steps are exact in real arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import frexp, inf, nextafter
from typing import assert_never

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marapatch.errors import InputError
from marapatch.query.intervals import activity
from marapatch.query.query import Query
from marapatch_encodings.terms import Abs, Constraint, Disjunction, Max, Relu, Row, row


def reduce(query: Query) -> Query | None:
    """An equivalent query over the same variables, or None where a constraint is plainly false.

    In the result no row (also inside a disjunction) is empty, every Max has two inputs or more,
    every Disjunction two cases or more, no case is empty, and no output of a Relu, Abs or Max is
    one of its own inputs. Inequalities that every assignment within the bounds meets are left
    out: to one whose coefficients are 1e-180 of its right-hand side maraboupy 2.0.0 answers
    ``unsat``. Decided here are rows that no assignment within the bounds meets, rows without
    variables (``0 <= rhs``) and bounds that no real number meets (a lower bound of +infinity).
    """
    if (query.lower == inf).any() or (query.upper == -inf).any():
        return None
    constraints: list[Constraint] = []
    for constraint in query.constraints:
        for simpler in _simplify(constraint):
            if simpler is None:
                return None
            met = _met(simpler, query) if isinstance(simpler, Row) else None
            if met is False:
                return None
            if met is None:
                constraints.append(simpler)
    return Query(query.names, query.lower, query.upper, tuple(constraints))


def _met(inequality: Row, query: Query) -> bool | None:
    """Whether every assignment within the bounds meets the row, or none does; None where neither
    is certain. An equality is never certain to be met."""
    least, most = activity(inequality, query.lower, query.upper)
    above, below = least > inequality.rhs, most < inequality.rhs
    match inequality.sense:
        case "<=":
            return False if above else (True if most <= inequality.rhs else None)
        case ">=":
            return False if below else (True if least >= inequality.rhs else None)
        case "=":
            return False if above or below else None
        case _:
            assert_never(inequality.sense)


def absorb(query: Query) -> Query | None:
    """An equivalent query in which no inequality has one variable only: those become bounds.

    A quotient that float64 cannot hold is rounded away from the feasible side, so nothing is
    lost. None where the bounds then contradict each other, which proves the query infeasible.
    """
    lower, upper = query.lower.copy(), query.upper.copy()
    kept: list[Constraint] = []
    for constraint in query.constraints:
        single = constraint if isinstance(constraint, Row) else None
        if single is None or not _absorbed(single, lower, upper):
            kept.append(constraint)
    # Each was rounded away from the feasible side: they cross only where nothing is between.
    if (lower > upper).any():
        return None
    return Query(query.names, lower, upper, tuple(kept))


def _absorbed(single: Row, lower: NDArray[np.float64], upper: NDArray[np.float64]) -> bool:
    """Make ``single`` a bound, in place; False where it is none or the quotient overflows."""
    if single.sense == "=" or single.variables.size != 1:
        return False
    i, c = int(single.variables[0]), float(single.coefficients[0])
    # Dividing by a coefficient below 0 turns the inequality round.
    from_above = (single.sense == "<=") == (c > 0.0)
    try:
        # A float64 compares with a rational number exactly: so it is known to which side the
        # quotient was rounded.
        exact = Fraction(single.rhs) / Fraction(c)
        bound = float(exact)
    except OverflowError:
        return False
    if from_above:
        upper[i] = min(upper[i], bound if bound >= exact else nextafter(bound, inf))
    else:
        lower[i] = max(lower[i], bound if bound <= exact else nextafter(bound, -inf))
    return True


def doublings(row: Row) -> int:
    """How often ``row`` can be doubled, which is exact, until a coefficient is 1/2 or more, or its
    right-hand side as large as float64 holds.

    Tolerances of engines are absolute: rows of small coefficients mean nothing to them.
    """
    # frexp: c = m 2^e with 1/2 <= m < 1, so that -e doublings leave m.
    wanted = -frexp(float(np.abs(row.coefficients).max()))[1]
    return max(0, wanted if row.rhs == 0.0 else min(wanted, 1023 - frexp(row.rhs)[1]))


def holds(empty: Row) -> bool:
    """Whether a row without variables, ``0 (<=, >=, =) rhs``, is true."""
    match empty.sense:
        case "<=":
            return empty.rhs >= 0.0
        case ">=":
            return empty.rhs <= 0.0
        case "=":
            return empty.rhs == 0.0
        case _:
            assert_never(empty.sense)


def _simplify(constraint: Constraint) -> Iterator[Constraint | None]:
    """Constraints that together mean the same; None for a false one."""
    match constraint:
        case Row():
            if constraint.variables.size:
                yield constraint
            elif not holds(constraint):
                yield None
        case Relu() | Abs():
            if constraint.input == constraint.output:  # x = relu(x), x = |x|: x >= 0
                yield row({constraint.input: 1.0}, ">=", 0.0)
            else:
                yield constraint
        case Max():
            yield from _simplify_max(constraint)
        case Disjunction():
            yield from _simplify_disjunction(constraint)
        case _:
            assert_never(constraint)


def _simplify_max(constraint: Max) -> Iterator[Constraint | None]:
    output = constraint.output
    inputs = tuple(dict.fromkeys(constraint.inputs))
    if output in inputs:  # y = max(y, x...): y >= x...
        for x in inputs:
            if x != output:
                yield row({output: 1.0, x: -1.0}, ">=", 0.0)
    elif len(inputs) == 1:
        yield row({output: 1.0, inputs[0]: -1.0}, "=", 0.0)
    elif inputs:
        yield Max(inputs, output)
    else:
        yield None  # the maximum of nothing is no number


def _simplify_disjunction(constraint: Disjunction) -> Iterator[Constraint | None]:
    cases: list[tuple[Row, ...]] = []
    for case in constraint.cases:
        if any(not r.variables.size and not holds(r) for r in case):
            continue
        kept = tuple(r for r in case if r.variables.size)
        if not kept:  # this case always holds
            return
        cases.append(kept)
    match cases:
        case []:
            yield None
        case [only]:
            yield from only
        case _:
            yield Disjunction(tuple(cases))


def check_timeout(timeout: float) -> None:
    """Raise :class:`InputError` unless ``timeout`` is a positive, finite number of seconds."""
    if not 0.0 < timeout < inf:
        raise InputError(f"timeout: {timeout} s; give a positive, finite number of seconds")


def check_objective(objective: ArrayLike, variables: int) -> NDArray[np.float64]:
    """The objective as an array; :class:`InputError` unless it is finite, one a variable."""
    costs = np.array(objective, dtype=np.float64)
    if costs.shape != (variables,) or not np.isfinite(costs).all():
        raise InputError(
            f"objective: shape {costs.shape} for {variables} variables, or not finite; give one "
            "finite coefficient a variable"
        )
    return costs
