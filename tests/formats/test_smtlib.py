"""Queries as SMT-LIB: the same verdict, exact numbers."""

from __future__ import annotations

import pytest
import z3
from written_queries import QUERIES, feasible

from marapatch.formats import smtlib
from marapatch.query.query import Query
from marapatch_encodings.terms import Abs, Disjunction, Max, Relu, VariablePool, row


@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_smtlib_gives_the_same_verdict(number: int) -> None:
    solver = z3.Solver()
    solver.from_string(smtlib(QUERIES[number]))
    assert str(solver.check()) == ("sat" if feasible(QUERIES[number]) else "unsat")


def test_smtlib_is_exact_and_readable() -> None:
    pool = VariablePool()
    x, y = pool.fresh("x", -0.1, 3.0), pool.fresh("y")
    query = Query.of(
        pool,
        [
            Relu(x, y),
            Abs(x, y),
            Max((x, y), y),
            Disjunction(((row({x: 1.0}, "<=", 0.5), row({y: -2.0}, "=", 1.0)), ())),
        ],
    )
    assert smtlib(query).splitlines() == [
        "(set-logic QF_LRA)",
        "(declare-const v0 Real) ; x",
        "(assert (>= v0 (- (/ 3602879701896397.0 36028797018963968.0))))",
        "(assert (<= v0 3.0))",
        "(declare-const v1 Real) ; y",
        "(assert (= v1 (ite (>= v0 0.0) v0 0.0)))",
        "(assert (= v1 (ite (>= v0 0.0) v0 (- v0))))",
        "(assert (>= v1 v0))",
        "(assert (>= v1 v1))",
        "(assert (or (= v1 v0) (= v1 v1)))",
        "(assert (or (and (<= v0 (/ 1.0 2.0)) (= (* (- 2.0) v1) 1.0)) true))",
        "(check-sat)",
    ]
