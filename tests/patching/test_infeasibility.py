"""A linear relaxation that says that no patch will do, and only where none will."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from marapatch.network.graph import dense_network
from marapatch.patching.infeasibility import infeasible_by_relaxation
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question


def question(matrix: list[list[float]], rhs: list[float], radius: float) -> Question:
    """Outputs relu(x) and relu(-x) of one number x."""
    network = dense_network([np.array([[1.0], [-1.0]]), np.eye(2)], [np.zeros(2), np.zeros(2)])
    box = np.full(1, radius)
    ball = Ball(np.zeros(1), -box, box, Norm.LINF, inf)
    condition = OutputCondition(np.array(matrix), np.array(rhs))
    return Question(network.standard_form, ball, condition, lambda claimed: None)


@pytest.mark.parametrize("radius", [1.0, inf])
def test_what_no_relu_gives_is_infeasible(radius: float) -> None:
    assert infeasible_by_relaxation(question([[-1.0, 0.0]], [0.5], radius), inf)  # relu(x) <= -0.5
    assert infeasible_by_relaxation(question([[-1.0, -1.0]], [0.1], radius), 10.0)


@pytest.mark.parametrize("radius", [1.0, inf])
def test_what_is_there_is_never_refuted(radius: float) -> None:
    assert not infeasible_by_relaxation(question([[1.0, 0.0]], [0.5], radius), inf)
    assert not infeasible_by_relaxation(
        question([[1.0, -1.0], [-1.0, 1.0]], [0.0, 0.0], radius), inf
    )


def test_it_is_the_box_that_refutes_where_inputs_are_limited() -> None:
    """Without upper bounds on ReLUs the relaxation says nothing of how large they can be."""
    assert not infeasible_by_relaxation(question([[1.0, 0.0]], [2.0], 1.0), inf)
