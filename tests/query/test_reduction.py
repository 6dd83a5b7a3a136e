"""Simplifications before an engine is asked: nothing may be lost by them."""

from __future__ import annotations

from fractions import Fraction
from math import inf

import numpy as np
import pytest
from random_queries import random_query

from marapatch.query.query import Query
from marapatch.query.reduction import absorb, doublings, reduce
from marapatch.solvers.base import Candidate, Infeasible
from marapatch.solvers.enumeration import EnumerationBackend
from marapatch_encodings import Disjunction, Max, Row, Sense, Variable, VariablePool, row

X = Variable(0)


def absorbed(*rows: Row, low: float = -10.0, high: float = 10.0) -> Query | None:
    pool = VariablePool()
    pool.fresh("x", low, high)
    return absorb(Query.of(pool, rows))


@pytest.mark.parametrize(
    ("coefficient", "sense", "rhs", "bounds"),
    [
        (2.0, "<=", 3.0, (-10.0, 1.5)),
        (2.0, ">=", 3.0, (1.5, 10.0)),
        (-2.0, "<=", 3.0, (-1.5, 10.0)),
        (-2.0, ">=", 3.0, (-10.0, -1.5)),
        (2.0, "<=", 30.0, (-10.0, 10.0)),
    ],
)
def test_a_row_of_one_variable_becomes_a_bound(
    coefficient: float, sense: Sense, rhs: float, bounds: tuple[float, float]
) -> None:
    query = absorbed(row({X: coefficient}, sense, rhs))
    assert query is not None
    assert query.constraints == ()
    assert (query.lower[0], query.upper[0]) == bounds


@pytest.mark.parametrize("sense", ["<=", ">="])
@pytest.mark.parametrize("coefficient", [3.0, -3.0, 0.1, 1e-300])
def test_bounds_are_rounded_outwards(coefficient: float, sense: Sense) -> None:
    query = absorbed(row({X: coefficient}, sense, coefficient / 7.0), low=-inf, high=inf)
    assert query is not None
    exact = Fraction(coefficient / 7.0) / Fraction(coefficient)
    if (sense == "<=") == (coefficient > 0.0):
        assert exact <= Fraction(query.upper[0]) < exact + Fraction(1, 2**50)
    else:
        assert exact - Fraction(1, 2**50) < Fraction(query.lower[0]) <= exact


def test_contradictory_rows_are_infeasible() -> None:
    assert absorbed(row({X: 2.0}, ">=", 3.0), row({X: 1.0}, "<=", 1.0)) is None


@pytest.mark.parametrize("left", [row({X: 1e-300}, "<=", 1e300), row({X: 2.0}, "=", 3.0)])
def test_equalities_and_overflow_stay_rows(left: Row) -> None:
    query = absorbed(left)
    assert query is not None
    assert query.constraints == (left,)
    assert (query.lower[0], query.upper[0]) == (-10.0, 10.0)


@pytest.mark.parametrize(
    ("largest", "count"), [(1.0, 0), (0.5, 0), (0.49, 1), (1e6, 0), (2.0**-20, 19), (5e-324, 1073)]
)
def test_doublings(largest: float, count: int) -> None:
    small = row({X: -largest, Variable(1): largest / 2}, "=", 0.0)
    assert doublings(small) == count
    assert np.ldexp(largest, count) >= 0.5


def test_the_answer_stays_the_same() -> None:
    decided = {Candidate: 0, Infeasible: 0}
    for seed in range(200):
        query = random_query(seed, grid=bool(seed % 2))
        expected = EnumerationBackend().solve(query, 600.0)
        reduced = reduce(query)
        reduced = None if reduced is None else absorb(reduced)
        if reduced is None:
            assert expected == Infeasible(), seed
            continue
        answer = EnumerationBackend().solve(reduced, 600.0)
        assert type(answer) is type(expected), seed
        for constraint in reduced.constraints:
            match constraint:
                case Row():
                    assert constraint.variables.size > (constraint.sense != "=")
                case Max():
                    assert len(set(constraint.inputs)) > 1
                    assert constraint.output not in constraint.inputs
                case Disjunction():
                    assert len(constraint.cases) > 1
                    assert all(constraint.cases)
        decided[type(answer)] += 1  # type: ignore[index]  # neither backend is undecided here
    assert min(decided.values()) > 20


def test_inequalities_that_the_bounds_imply_are_left_out() -> None:
    """maraboupy 2.0.0 answers ``unsat`` to the first: it cannot tell it from ``0 >= 1``."""
    pool = VariablePool()
    u = pool.fresh_many("u", np.array([-1.0, 0.0]), np.array([0.0, 1.0]))
    tiny = row({u[0]: -1.1e-188, u[1]: -5.2e-189}, ">=", -1e-6)
    some = row({u[0]: 1.0, u[1]: 1.0}, "<=", 0.5)
    reduced = reduce(Query.of(pool, [tiny, some]))
    assert reduced is not None
    assert reduced.constraints == (some,)


@pytest.mark.parametrize(("sense", "rhs"), [("<=", -1.5), (">=", 1.5), ("=", 1.5), ("=", -1.5)])
def test_a_row_beyond_the_bounds_refutes(sense: Sense, rhs: float) -> None:
    pool = VariablePool()
    u = pool.fresh_many("u", np.array([-1.0, 0.0]), np.array([0.0, 1.0]))
    assert reduce(Query.of(pool, [row({u[0]: 1.0, u[1]: 1.0}, sense, rhs)])) is None


def test_an_equality_within_the_bounds_stays() -> None:
    pool = VariablePool()
    u = pool.fresh("u", 0.0, 0.0)
    query = Query.of(pool, [row({u: 1.0}, "=", 0.0)])
    reduced = reduce(query)
    assert reduced is not None
    assert len(reduced.constraints) == 1


def test_doublings_stop_where_the_right_hand_side_would_overflow() -> None:
    exponent = doublings(row({Variable(0): 1e-310}, "<=", 1e10))
    assert exponent > 900
    assert np.isfinite(np.ldexp(1e10, exponent))
