"""The checks behind ``marapatch doctor`` tell a good engine from a bad one."""

from __future__ import annotations

import numpy as np
import pytest

from marapatch.cli.selftest import check_example, diagnose, relu_query
from marapatch.errors import BackendError
from marapatch.query.query import Query
from marapatch.solvers import HighsBackend
from marapatch.solvers.base import Answer, Candidate, Infeasible, Undecided
from marapatch.solvers.enumeration import EnumerationBackend


class Told(HighsBackend):
    """Says the same to every question."""

    def __init__(self, answer: Answer | BackendError) -> None:
        self.answer = answer

    @property
    def name(self) -> str:
        return "told"

    def solve(self, query: Query, timeout: float) -> Answer:
        del query, timeout
        if isinstance(self.answer, BackendError):
            raise self.answer
        return self.answer


def verdicts(answer: Answer | BackendError) -> list[bool]:
    return [check.good for check in diagnose({"told": lambda: Told(answer)})]


def test_the_queries_are_what_they_say() -> None:
    backend = EnumerationBackend()
    assert isinstance(backend.solve(relu_query(2.0), 10.0), Candidate)
    assert isinstance(backend.solve(relu_query(2.0 + 1e-3), 10.0), Infeasible)


def test_a_good_engine_passes_both() -> None:
    checks = list(diagnose({"highs": HighsBackend}))
    assert [check.good for check in checks] == [True, True]
    assert [check.name for check in checks] == ["highs: sat query", "highs: unsat query"]


@pytest.mark.parametrize(
    ("answer", "good"),
    [
        (Infeasible(), [False, True]),
        (Candidate(np.array([2.0, 2.0])), [True, False]),
        (Candidate(np.array([2.0, 1.0])), [False, False]),  # not a ReLU's value
        (Candidate(np.array([1.0, 1.0])), [False, False]),  # misses the row
        (Undecided("out of time"), [False, False]),
        (BackendError("broken"), [False, False]),
    ],
    ids=str,
)
def test_a_wrong_answer_fails(answer: Answer | BackendError, good: list[bool]) -> None:
    assert verdicts(answer) == good


def test_an_engine_that_cannot_start_is_a_failed_check() -> None:
    def make() -> HighsBackend:
        raise BackendError("no such library")

    (check,) = diagnose({"gone": make})
    assert not check.good
    assert check.detail == "no such library"


def test_the_bundled_network_decides_seven() -> None:
    check = check_example()
    assert check.good
    assert "decides 7" in check.detail
