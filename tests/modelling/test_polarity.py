"""In which direction columns matter: through comparisons, functions and objectives."""

from __future__ import annotations

import pytest

from marapatch.modelling import Expression, Problem, absolute, any_of, at_most_k_nonzero, relu
from marapatch.modelling.polarity import Polarity, polarity


def flags(problem: Problem, objective: Expression | None = None) -> list[int]:
    model = problem.model
    return polarity(model.definitions, model.conditions, objective, model.columns).tolist()


def two() -> tuple[Problem, Expression]:
    problem = Problem()
    return problem, problem.array("x", (2,), -1.0, 1.0)


def test_nothing_matters_where_nothing_is_required() -> None:
    problem, x = two()
    relu(x)
    assert flags(problem) == [Polarity.UNUSED] * 4


@pytest.mark.parametrize(
    ("sense", "expected"),
    [("<=", [Polarity.CONVEX, Polarity.CONCAVE]), (">=", [Polarity.CONCAVE, Polarity.CONVEX])],
)
def test_a_comparison_looks_at_one_side(sense: str, expected: list[Polarity]) -> None:
    problem, x = two()
    form = x[0] - x[1]
    problem.require(form <= 1.0 if sense == "<=" else form >= 1.0)
    assert flags(problem) == expected


def test_an_equality_and_a_limit_on_entries_look_at_both() -> None:
    problem, x = two()
    problem.require(x[0] == 1.0, at_most_k_nonzero(x[1:], 1))
    assert flags(problem) == [Polarity.BOTH, Polarity.BOTH]


def test_alternatives_add_up() -> None:
    problem, x = two()
    problem.require(any_of(x[0] <= 0.0, x[0] >= 1.0, x[1] <= 0.5))
    assert flags(problem) == [Polarity.BOTH, Polarity.CONVEX]


def test_a_rising_function_passes_its_side_on_and_another_both() -> None:
    problem, x = two()
    problem.require(relu(x[0]) <= 1.0, absolute(x[1]) <= 1.0)
    assert flags(problem) == [Polarity.CONVEX, Polarity.BOTH, Polarity.CONVEX, Polarity.CONVEX]


def test_an_objective_is_to_be_small() -> None:
    problem, x = two()
    assert flags(problem, x[0] - x[1]) == [Polarity.CONVEX, Polarity.CONCAVE]
