"""Exact minima over queries: the MILP and the enumeration of phases, against known values."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan

import numpy as np
import pytest
from random_queries import random_query

from marapatch.errors import InputError
from marapatch.query.query import Query
from marapatch.solvers.base import Candidate, Undecided
from marapatch.solvers.enumeration import EnumerationBackend
from marapatch.solvers.highs.backend import HighsBackend
from marapatch_encodings import (
    Abs,
    Constraint,
    Disjunction,
    Max,
    Relu,
    Variable,
    VariablePool,
    row,
    worst_violation,
)

TIMEOUT = 20.0
Optimiser = HighsBackend | EnumerationBackend
Build = Callable[[VariablePool, Variable, Variable, Variable], list[Constraint]]


@pytest.fixture(params=[HighsBackend(), EnumerationBackend()], ids=lambda b: b.name)
def optimiser(request: pytest.FixtureRequest) -> Optimiser:
    made: Optimiser = request.param
    return made


def over_the_box(build: Build) -> Query:
    """``build`` over x, y in [-1, 1] and a free target t, to be minimised; t is variable 2."""
    pool = VariablePool()
    x, y = pool.fresh_many("x", [-1.0, -1.0], [1.0, 1.0])
    t = pool.fresh("t")
    return Query.of(pool, build(pool, x, y, t))


def linear(pool: VariablePool, x: Variable, y: Variable, t: Variable) -> list[Constraint]:
    return [row({x: 1.0, y: 2.0, t: -1.0}, "=", 0.0), row({t: 1.0, x: 1.0}, ">=", -2.0)]


def relu(pool: VariablePool, x: Variable, y: Variable, t: Variable) -> list[Constraint]:
    z = pool.fresh("z")
    return [
        row({x: 1.0, y: 1.0, z: -1.0}, "=", 0.0),
        Relu(z, t),
        row({x: 1.0, y: 2.0}, ">=", 2.0),
        row({x: 2.0, y: 1.0}, ">=", 2.0),
    ]


def absolute(pool: VariablePool, x: Variable, y: Variable, t: Variable) -> list[Constraint]:
    z = pool.fresh("z")
    return [row({x: 1.0, y: 1.0, z: -1.0}, "=", 2.5), Abs(z, t)]


def maximum(pool: VariablePool, x: Variable, y: Variable, t: Variable) -> list[Constraint]:
    return [Max((x, y), t), row({x: 1.0, y: 3.0}, ">=", 1.0)]


def disjunction(pool: VariablePool, x: Variable, y: Variable, t: Variable) -> list[Constraint]:
    cases = (row({t: 1.0, x: 1.0}, ">=", 0.75),), (row({t: 1.0, y: 1.0}, "=", 0.5),)
    return [Disjunction(cases), row({t: 1.0}, "<=", 10.0), row({t: 1.0}, ">=", -10.0)]


@pytest.mark.parametrize(
    ("build", "minimum"),
    [(linear, -2.0), (relu, 4.0 / 3.0), (absolute, 0.5), (maximum, 0.25), (disjunction, -0.5)],
    ids=["linear", "relu", "abs", "max", "or"],
)
def test_known_minimum(optimiser: Optimiser, build: Build, minimum: float) -> None:
    query = over_the_box(build)
    costs = np.zeros(len(query.names))
    costs[2] = 1.0
    optimum = optimiser.minimise(query, costs, TIMEOUT)
    assert optimum.reason == ""
    assert not optimum.infeasible
    assert optimum.bound == pytest.approx(minimum, abs=1e-7)
    assert optimum.assignment is not None
    assert optimum.assignment[2] == pytest.approx(minimum, abs=1e-7)
    assert worst_violation(query.constraints, optimum.assignment) <= 1e-6


def test_infeasible(optimiser: Optimiser) -> None:
    query = over_the_box(lambda pool, x, y, t: [Max((x, y), t), row({t: 1.0}, ">=", 1.25)])
    optimum = optimiser.minimise(query, np.ones(3), TIMEOUT)
    assert optimum.infeasible
    assert optimum.assignment is None


@pytest.mark.parametrize("with_relu", [False, True])
def test_unbounded(optimiser: Optimiser, with_relu: bool) -> None:
    query = over_the_box(lambda pool, x, y, t: [Relu(x, pool.fresh("f"))] if with_relu else [])
    optimum = optimiser.minimise(query, np.eye(len(query.names))[2], TIMEOUT)
    assert optimum.bound == -inf
    assert "unbounded" in optimum.reason
    assert not optimum.infeasible


@pytest.mark.parametrize("objective", [[1.0], [1.0, 0.0, nan], [1.0, 0.0, inf]])
def test_refuses_a_bad_objective(optimiser: Optimiser, objective: list[float]) -> None:
    with pytest.raises(InputError, match="one finite coefficient a variable"):
        optimiser.minimise(over_the_box(linear), objective, TIMEOUT)


def test_no_variables(optimiser: Optimiser) -> None:
    assert optimiser.minimise(Query.of(VariablePool(), []), [], TIMEOUT).bound == 0.0


def test_minima_agree() -> None:
    compared = 0
    for seed in range(150):
        query = random_query(seed, grid=bool(seed % 2))
        costs = np.random.default_rng(seed).normal(size=len(query.names))
        one = HighsBackend().minimise(query, costs, TIMEOUT)
        other = EnumerationBackend().minimise(query, costs, TIMEOUT)
        assert one.bound == pytest.approx(other.bound, abs=1e-6, rel=1e-6), seed
        compared += np.isfinite(one.bound)
    assert compared > 20


def test_too_little_time(optimiser: Optimiser) -> None:
    query = over_the_box(relu)
    optimum = optimiser.minimise(query, np.ones(len(query.names)), 1e-9)
    assert "timeout" in optimum.reason
    assert optimum.bound == -inf
    assert isinstance(optimiser.solve(query, 1e-9), Undecided)


def test_enumeration_counts_patterns_before_it_starts() -> None:
    pool = VariablePool()
    query = Query.of(
        pool,
        [Relu(x, pool.fresh("y")) for x in pool.fresh_many("x", [-1.0] * 4, [1.0] * 4)],
    )
    answer = EnumerationBackend(leaves=15).solve(query, TIMEOUT)
    assert isinstance(answer, Undecided)
    assert "16 phase patterns, more than 15" in answer.reason
    assert isinstance(EnumerationBackend(leaves=16).solve(query, TIMEOUT), Candidate)
