"""A problem at one moment: which columns are declared, and how entries are called."""

from __future__ import annotations

import numpy as np
import pytest

from marapatch.modelling import Problem, relu
from marapatch.modelling.definitions import Declared
from marapatch.modelling.model import entry_name


def test_declared_columns_are_told_from_those_of_functions() -> None:
    problem = Problem()
    x = problem.array("x", (2,), -1.0, 1.0)
    relu(x)
    problem.variable("y", 0.0, 1.0)
    model = problem.model
    assert model.is_declared.tolist() == [True, True, False, False, True]
    assert [(span.start, span.stop, d.name) for span, d in model.declared] == [
        (0, 2, "x"),
        (4, 5, "y"),
    ]


def test_a_model_does_not_change_with_its_problem() -> None:
    problem = Problem()
    x = problem.variable("x", -1.0, 1.0)
    before = problem.model
    problem.require(x >= 0.5)
    problem.variable("y", 0.0, 1.0)
    assert before.columns == 1
    assert before.conditions == ()
    assert problem.model.columns == 2


@pytest.mark.parametrize(
    ("shape", "entry", "name"), [((), 0, "x"), ((3,), 2, "x[2]"), ((2, 3), 4, "x[1,1]")]
)
def test_entries_are_called_by_their_index(shape: tuple[int, ...], entry: int, name: str) -> None:
    size = int(np.prod(shape))
    assert entry_name(Declared("x", shape, np.zeros(size), np.ones(size)), entry) == name
