"""Marabou, HiGHS and z3 agree on random problems over every kind of constraint."""

from __future__ import annotations

from functools import cache

import pytest
import z3
from frozen_problems import COUNT, TIMEOUT, frozen
from random_problems import KINDS, random_problem

from marapatch.formats import smtlib
from marapatch.modelling import Solution
from marapatch.problem.verdict import Unknown
from marapatch.solvers import MarabouBackend


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
