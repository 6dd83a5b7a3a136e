"""HiGHS as an engine: bounds on both sides of a minimum, and a word for why it stopped."""

from __future__ import annotations

from math import inf

import highspy
import numpy as np
import pytest
from random_queries import random_query

from marapatch.errors import BackendError
from marapatch.linear_programs.highs import new_highs
from marapatch.query.query import Query
from marapatch.query.reduction import reduce
from marapatch.solvers.base import Candidate, Infeasible, Undecided
from marapatch.solvers.enumeration import EnumerationBackend
from marapatch.solvers.highs.backend import REFUSED, HighsBackend, explain, open_solver, set_option
from marapatch.solvers.highs.milp import Program
from marapatch_encodings import Relu, VariablePool, row, worst_violation

TIMEOUT = 20.0


def free_query(coefficient: float = 1.0) -> Query:
    pool = VariablePool()
    x, y = pool.fresh("x"), pool.fresh("y", 0.0, 1.0)
    return Query.of(pool, [row({x: coefficient, y: 1.0}, "<=", 1.0)])


def test_the_bound_is_below_the_minimum_and_the_point_above() -> None:
    solved = 0
    for seed in range(60):
        query = random_query(seed, grid=bool(seed % 2))
        costs = np.random.default_rng(seed).normal(size=len(query.names))
        found = HighsBackend().minimise(query, costs, TIMEOUT)
        exact = EnumerationBackend().minimise(query, costs, TIMEOUT)
        assert found.infeasible == exact.infeasible
        if found.assignment is None or exact.assignment is None:
            continue
        solved += 1
        assert worst_violation(query.constraints, found.assignment) < 1e-6
        value = float(costs @ found.assignment)
        assert found.bound <= value + 1e-6
        assert found.bound == pytest.approx(float(costs @ exact.assignment), abs=1e-5)
    assert solved > 8


def test_an_objective_without_end_is_said_to_be_so() -> None:
    found = HighsBackend().minimise(free_query(), np.array([1.0, 0.0]), TIMEOUT)
    assert found.bound == -inf
    assert "unbounded" in found.reason
    assert isinstance(HighsBackend().solve(free_query(), TIMEOUT), Candidate)


def test_what_interval_propagation_refutes_needs_no_program() -> None:
    pool = VariablePool()
    x = pool.fresh("x", 0.0, 1.0)
    query = Query.of(pool, [row({x: 1.0}, ">=", 2.0)])
    assert reduce(query) is None
    assert isinstance(HighsBackend().solve(query, TIMEOUT), Infeasible)


def test_a_relu_without_a_bound_that_it_needs_is_undecided() -> None:
    pool = VariablePool()
    x, y = pool.fresh("x"), pool.fresh("y")
    query = Query.of(pool, [Relu(x, y), row({x: 1.0, y: -1.0}, "<=", -1.0)])
    answer = HighsBackend().solve(query, TIMEOUT)
    assert isinstance(answer, Undecided)
    assert answer.reason


def test_a_program_that_highs_does_not_take() -> None:
    import scipy.sparse as sp

    one = np.ones(1)
    program = Program(1, 0.0 * one, one, np.zeros(1, bool), sp.csr_array([[1e16]]), 0 * one, one)
    assert open_solver(program, one) is None
    assert "1e15" in REFUSED


def test_every_end_has_a_word_and_every_option_is_known() -> None:
    statuses = highspy.HighsModelStatus
    assert explain(None) == "HiGHS failed"
    assert "timeout" in explain(statuses.kTimeLimit)
    assert "kIterationLimit" in explain(statuses.kIterationLimit)
    with pytest.raises(BackendError, match="no_such_option"):
        set_option(new_highs(), "no_such_option", 1)
