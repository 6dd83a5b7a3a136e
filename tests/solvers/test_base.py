"""The laws every backend keeps, and the agreement of the three on what they answer."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, nan

import numpy as np
import pytest
from backend_queries import CASES, Case, maximum, no_constraints, query_of
from random_queries import random_query

from marapatch.errors import InputError
from marapatch.query.query import Query
from marapatch.solvers import BACKENDS, create
from marapatch.solvers.base import Backend, Candidate, Infeasible
from marapatch.solvers.enumeration import EnumerationBackend
from marapatch.solvers.highs.backend import HighsBackend
from marapatch.solvers.marabou.backend import MarabouBackend
from marapatch_encodings import worst_violation

TIMEOUT = 600.0


TOLERANCE = 1e-5
"""By how much an assignment may miss a constraint."""


NAMES = tuple(BACKENDS)


@pytest.fixture(scope="module", params=NAMES)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    made = create(request.param)
    yield made
    made.close()


def violation(query: Query, values: np.ndarray) -> float:
    outside = np.maximum(query.lower - values, values - query.upper).max(initial=0.0)
    return float(max(outside, worst_violation(query.constraints, values)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answers(backend: Backend, case: Case) -> None:
    query = query_of(case.build)
    answer = backend.solve(query, TIMEOUT)
    if case.feasible:
        assert isinstance(answer, Candidate), answer
        assert answer.assignment.dtype == np.float64
        assert answer.assignment.shape == (len(query.names),)
        assert violation(query, answer.assignment) <= TOLERANCE
    else:
        assert answer == Infeasible()


@pytest.mark.parametrize("grid", [False, True], ids=["normal variates", "quarters"])
def test_the_three_agree(marabou: MarabouBackend, grid: bool) -> None:
    """Seeds on which Marabou was wrong before what backends/_request.py does are among them."""
    backends: tuple[Backend, ...] = (marabou, HighsBackend(), EnumerationBackend())
    found = {True: 0, False: 0}
    for seed in range(200):
        query = random_query(seed, grid=grid)
        answers = [backend.solve(query, TIMEOUT) for backend in backends]
        kinds = {type(answer) for answer in answers}
        assert kinds in ({Candidate}, {Infeasible}), (seed, answers)
        for answer in answers:
            if isinstance(answer, Candidate):
                assert violation(query, answer.assignment) <= 1e-4, seed
        found[kinds == {Candidate}] += 1
    assert min(found.values()) > 30


def test_answers_do_not_depend_on_earlier_ones(backend: Backend) -> None:
    yes, no = query_of(maximum(">=", 1.5)), query_of(maximum(">=", 2.0))
    for query, kind in ((yes, Candidate), (no, Infeasible), (yes, Candidate), (no, Infeasible)):
        assert isinstance(backend.solve(query, TIMEOUT), kind)
        backend.close()
        assert isinstance(backend.solve(query, TIMEOUT), kind)


@pytest.mark.parametrize("timeout", [0.0, -1.0, inf, nan])
def test_refuses_a_timeout_that_is_none(backend: Backend, timeout: float) -> None:
    with pytest.raises(InputError, match="give a positive, finite number"):
        backend.solve(query_of(no_constraints), timeout)


@pytest.mark.parametrize("name", NAMES)
def test_registry(name: str) -> None:
    made = create(name)
    assert made.name == name
    made.close()


def test_registry_names_what_there_is() -> None:
    with pytest.raises(InputError, match="'gurobi' is not known; choose one of marabou, highs"):
        create("gurobi")
