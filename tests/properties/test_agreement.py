"""Marabou, HiGHS and z3 agree on random problems over every kind of constraint."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import z3
from random_problems import KINDS, random_problem

from marapatch.formats import smtlib
from marapatch.modelling import Solution
from marapatch.modelling.freezing import freeze
from marapatch.problem.verdict import Unknown
from marapatch.query.query import Query
from marapatch.query.scaling import RELAXATION, normalise
from marapatch.solvers import HighsBackend, Infeasible, MarabouBackend
from marapatch_encodings.semantics import worst_violation

COUNT = 60
TIMEOUT = 600.0


def frozen(seed: int) -> Query | None:
    """The query of a problem; None where interval propagation alone refutes it."""
    model = random_problem(seed)[0].model
    found = freeze(model)
    return None if found is None else found.query


@cache
def truth(seed: int) -> bool:
    """Whether the problem has a solution, by z3 in rational arithmetic."""
    query = frozen(seed)
    if query is None:
        return False
    solver = z3.Solver()
    solver.from_string(smtlib(query))
    answer = str(solver.check())
    assert answer in ("sat", "unsat")
    return answer == "sat"


@pytest.mark.parametrize("seed", range(COUNT))
def test_engines_agree(seed: int, marabou: MarabouBackend) -> None:
    problem, kinds = random_problem(seed)
    feasible = truth(seed)
    for backend, confirm in ((marabou, "highs"), ("highs", None)):
        answer = problem.solve(backend, confirm=confirm, timeout=TIMEOUT)
        assert not isinstance(answer, Unknown), (kinds, answer)
        assert isinstance(answer, Solution) is feasible, (kinds, answer)


def test_every_kind_occurs_on_both_sides() -> None:
    seen = {(kind, truth(seed)) for seed in range(COUNT) for kind in random_problem(seed)[1]}
    assert {kind for kind, _ in seen} == set(KINDS)
    assert sum(feasible for _, feasible in seen) > len(KINDS) // 2
    assert sum(not feasible for _, feasible in seen) > len(KINDS) // 2


@pytest.mark.parametrize("relaxation", [0.0, RELAXATION])
def test_normalise_keeps_every_solution(relaxation: float) -> None:
    """A solution of the query, scaled, is one of the scaled query; and the way back inverts it."""
    checked = 0
    for seed in range(COUNT):
        query = frozen(seed)
        if query is None:
            continue
        answer = HighsBackend().solve(query, TIMEOUT)
        if isinstance(answer, Infeasible):
            continue
        scaled = normalise(query, relaxation)
        point = (answer.assignment - scaled.shift) / scaled.scale
        size = max(1.0, float(np.abs(query.lower).max()), float(np.abs(query.upper).max()))
        assert worst_violation(scaled.query.constraints, point) <= 1e-7 * size
        assert (point >= scaled.query.lower - 1e-7).all()
        assert (point <= scaled.query.upper + 1e-7).all()
        assert scaled.back(point) == pytest.approx(answer.assignment, abs=1e-12 * size)
        assert np.abs(np.r_[scaled.query.lower, scaled.query.upper]).max() <= 1.01
        checked += 1
    assert checked > COUNT // 4
