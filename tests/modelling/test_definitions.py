"""What columns are: their number, their names, their values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from marapatch.modelling import (
    Expression,
    Problem,
    absolute,
    clip,
    leaky_relu,
    maximum,
    norm1,
    norm_inf,
    relu,
)
from marapatch.modelling.definitions import evaluate, label_of, size_of
from marapatch.network.graph import dense_network

POINT = np.array([-2.0, 0.5, 3.0])
NETWORK = dense_network([np.array([[1.0, 1.0, 1.0], [0.0, 0.0, -1.0]])], [np.array([0.5, 0.0])])

CASES: dict[str, tuple[Callable[[Expression], Expression], list[float]]] = {
    "relu(...)": (relu, [0.0, 0.5, 3.0]),
    "leaky_relu(...)": (lambda x: leaky_relu(x, 0.25), [-0.5, 0.5, 3.0]),
    "clip(...)": (lambda x: clip(x, -1.0, 1.0), [-1.0, 0.5, 1.0]),
    "absolute(...)": (absolute, [2.0, 0.5, 3.0]),
    "maximum(...)": (maximum, [3.0]),
    "norm1(...)": (norm1, [5.5]),
    "norm_inf(...)": (norm_inf, [3.0]),
    "network(...)": (NETWORK, [2.0, -3.0]),
}


@pytest.mark.parametrize("name", CASES)
def test_columns_of_a_function(name: str) -> None:
    make, values = CASES[name]
    problem = Problem()
    x = problem.array("x", (3,), -4.0, 4.0)
    make(x)
    definition = problem.model.definitions[-1][1]
    assert label_of(definition) == name
    assert size_of(definition) == len(values)
    assert evaluate(definition, POINT).tolist() == values


def test_declared_columns_have_no_value_of_their_own() -> None:
    problem = Problem()
    problem.array("x", (3,), 0.0, 1.0)
    (_, declared) = problem.model.definitions[0]
    assert (size_of(declared), label_of(declared)) == (3, "x")
    with pytest.raises(ValueError, match="x is declared"):
        evaluate(declared, POINT)
