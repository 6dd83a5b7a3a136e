"""Alternatives, limits on entries, and decisions as conditions."""

from __future__ import annotations

import numpy as np

import marapatch.modelling as mp
from marapatch.problem.conditions import Rule
from marapatch.solvers import MarabouBackend


def test_any_of_and_nested_alternatives(marabou: MarabouBackend) -> None:
    problem = mp.Problem()
    x = problem.array("x", 2, 0, 1)
    corner = mp.any_of([x[0] <= 0.1, x[1] <= 0.1], x >= 0.9)
    problem.require(mp.any_of(mp.all_of(corner, x.sum() >= 1.9), x[0] - x[1] >= 2.0))
    answer = problem.solve(marabou)
    assert isinstance(answer, mp.Solution)
    assert (answer["x"] >= 0.9 - 1e-6).all()
    problem.require(x[0] <= 0.5)
    assert isinstance(problem.solve(marabou), mp.NoSolution)


def test_at_most_k_nonzero(marabou: MarabouBackend) -> None:
    for backend in (marabou, "highs"):
        for k, feasible in ((1, False), (2, True)):
            problem = mp.Problem()
            x = problem.array("x", 4, -1, 1)
            problem.require(mp.at_most_k_nonzero(x, k), np.array([1.0, -1.0, 0.5, 0.5]) @ x >= 1.2)
            answer = problem.solve(backend)
            assert isinstance(answer, mp.Solution) is feasible
            if isinstance(answer, mp.Solution):
                assert np.count_nonzero(answer["x"]) <= k


def test_decision_conditions() -> None:
    for rule, sign in ((Rule.ARGMAX, 1.0), (Rule.ARGMIN, -1.0)):
        for values in ((0.0, 1.0, 2.0), (2.0, 1.0, 0.0), (1.0, 1.0, 0.0)):
            y0 = sign * np.array(values)

            def holds(make: object, y0: np.ndarray = y0) -> bool:
                problem = mp.Problem()
                y = problem.array("y", 3, -5, 5)
                problem.require(y == y0, make(y))  # type: ignore[operator]
                return isinstance(problem.solve("highs"), mp.Solution)

            wins = {i for i in range(3) if all(sign * (y0[i] - y0[j]) >= 0 for j in range(3))}
            for i in range(3):
                assert holds(lambda y, i=i, rule=rule: mp.decides(y, i, decision=rule)) == (
                    i in wins
                )
                other = any(sign * (y0[j] - y0[i]) >= 0 for j in range(3) if j != i)
                assert (
                    holds(lambda y, i=i, rule=rule: mp.decides_other(y, i, decision=rule)) == other
                )
            pair = any(sign * (y0[i] - y0[2]) >= 0 for i in (0, 1))
            assert holds(lambda y, rule=rule: mp.decides_one_of(y, (0, 1), decision=rule)) == pair
            both = all(sign * (y0[i] - y0[2]) >= 0 for i in (0, 1))
            every = holds(
                lambda y, rule=rule: mp.decides_one_of(y, (0, 1), decision=rule, every=True)
            )
            assert every == both
