"""Answers confirmed, replayed, and held against each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scripted_engines import Scripted, within

import marapatch.modelling as mp
from marapatch.errors import ContradictionError
from marapatch.modelling.deciding import _Descent
from marapatch.query.query import Query
from marapatch.solvers import Answer, HighsBackend, Infeasible
from marapatch.solvers.base import Undecided


def feasible_problem() -> tuple[mp.Problem, mp.Expression]:
    problem = mp.Problem()
    x = problem.array("x", 2, 0, 1)
    problem.require(mp.relu(x[0] - x[1]) >= 0.25)
    return problem, x


def test_a_wrong_unsat_is_overruled_by_a_replayed_solution() -> None:
    problem, _ = feasible_problem()
    answer = problem.solve(Scripted([Infeasible()]))
    assert isinstance(answer, mp.Solution)
    assert "scripted said unsat, wrongly" in answer.notes[0]


def test_an_unconfirmed_unsat_names_who_said_so() -> None:
    problem, _ = feasible_problem()
    answer = problem.solve(
        Scripted([Infeasible()]), confirm=Scripted([Undecided("out of time")], "second")
    )
    assert isinstance(answer, mp.NoSolution)
    assert answer.certified_by == ("scripted",)
    assert answer.notes == ("not confirmed: out of time",)


def test_minimise_moves_only_on_proofs_and_replayed_solutions() -> None:
    problem, x = feasible_problem()
    truth = problem.minimise(x.sum(), backend="highs", confirm=None)
    assert truth.lower <= 0.25 <= truth.upper + 1e-9
    assert truth.closed(1e-4)
    silent = problem.minimise(x.sum(), backend=Scripted([Undecided("no idea")]), confirm=None)
    assert silent.lower == -np.inf
    assert silent.upper == np.inf
    assert silent.note == "no idea"


def test_minimise_notices_a_contradiction() -> None:
    """A solver that refutes what a replayed solution already shows is not believed in silence."""
    problem, x = feasible_problem()

    class Liar(HighsBackend):
        asked = 0

        def solve(self, query: Query, timeout: float) -> Answer:
            Liar.asked += 1
            if Liar.asked == 2:
                return Infeasible()
            return super().solve(query, timeout)

    problem.require(x[0] >= 0.5)  # so that the first solution is the best one
    found = problem.minimise(x.sum(), backend=Liar(), confirm=None, tolerance=1e-3)
    assert found.lower <= found.upper
    answer = problem.solve("highs")
    assert isinstance(answer, mp.Solution)
    state = _Descent(problem.model, x.sum().ravel(), answer, 1e-3)
    with pytest.raises(ContradictionError, match="liar said that no value is below"):
        state.refute(state.upper + 1.0, mp.NoSolution(("liar",)))


@pytest.mark.parametrize("miss", [1e-14, 1e-9, 9e-7])
def test_a_solution_within_its_tolerance_contradicts_no_proof(miss: float) -> None:
    """The least value is 0.25; a solver may return less, as far as the tolerance goes."""
    problem, x = feasible_problem()
    short = within(problem, np.array([0.25 - miss, 0.0]), 1e-6)
    assert short is not None
    assert short.violation == pytest.approx(miss, rel=1e-2)
    state = _Descent(problem.model, x.sum().ravel(), short, 1e-3)
    assert 0.25 - 1.01e-6 <= state.lower <= state.upper < 0.25


def test_a_solution_beyond_its_tolerance_contradicts_a_proof() -> None:
    problem, x = feasible_problem()
    good = within(problem, np.array([0.25, 0.0]), 1e-6)
    assert good is not None
    columns = good.columns.copy()
    columns[0] -= 1.1e-6
    with pytest.raises(ContradictionError, match="interval propagation said that no value"):
        _Descent(problem.model, x.sum().ravel(), replace(good, columns=columns), 1e-3)
