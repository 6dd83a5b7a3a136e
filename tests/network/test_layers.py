"""Layers: their functions, their checks, and the parameters behind affine ones."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from marapatch.errors import InputError
from marapatch.network.layers import (
    Abs,
    Affine,
    Clip,
    Concat,
    Layer,
    LeakyRelu,
    Maximum,
    MaxPool,
    Relu,
    Sum,
    freeze,
    freeze_matrix,
)

X = np.array([[-2.0, 0.5, 3.0], [1.0, -1.0, 0.0]])


Y = np.array([[1.0, -4.0, 3.5], [0.0, 2.0, -1.0]])


@pytest.mark.parametrize(
    ("layer", "inputs", "expected"),
    [
        (Affine(np.array([[1.0, 2.0, 0.0]]), np.array([0.5])), [X], [[-0.5], [-0.5]]),
        (Affine(sp.csr_array([[0.0, 0.0, -1.0]]), np.array([0.0])), [X], [[-3.0], [0.0]]),
        (Relu(), [X], [[0.0, 0.5, 3.0], [1.0, 0.0, 0.0]]),
        (LeakyRelu(0.5), [X], [[-1.0, 0.5, 3.0], [1.0, -0.5, 0.0]]),
        (Abs(), [X], [[2.0, 0.5, 3.0], [1.0, 1.0, 0.0]]),
        (Clip(-1.0, 1.0), [X], [[-1.0, 0.5, 1.0], [1.0, -1.0, 0.0]]),
        (Clip(-np.inf, 0.0), [X], [[-2.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
        (MaxPool(np.array([[0, 1], [2, 2]])), [X], [[0.5, 3.0], [1.0, 0.0]]),
        (Maximum(), [X, Y], [[1.0, 0.5, 3.5], [1.0, 2.0, 0.0]]),
        (Sum((1.0, -2.0)), [X, Y], [[-4.0, 8.5, -4.0], [1.0, -5.0, 2.0]]),
        (Concat(), [X[:, :1], Y[:, 1:]], [[-2.0, -4.0, 3.5], [1.0, 2.0, -1.0]]),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, list) else "",
)
def test_layer(layer: Layer, inputs: list[np.ndarray], expected: list[list[float]]) -> None:
    np.testing.assert_array_equal(layer(*inputs), expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match="what: contains NaN or infinity"):
        freeze([1.0, bad], "what")
    with pytest.raises(InputError, match="what: contains NaN or infinity"):
        freeze_matrix(sp.csr_array([[1.0, bad]]), "what")


def test_a_layer_keeps_its_own_copy() -> None:
    weight, bias = np.eye(2), np.zeros(2)
    layer = Affine(weight, bias)
    weight[0, 0] = bias[0] = 7.0
    np.testing.assert_array_equal(layer(np.ones((1, 2))), [[1.0, 1.0]])
    with pytest.raises(ValueError, match="read-only"):
        layer.weight[0, 0] = 7.0
    sparse = Affine(sp.csr_array(np.eye(2)), np.zeros(2))
    with pytest.raises(ValueError, match="read-only"):
        sparse.weight.data[0] = 7.0


def test_a_bias_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match="bias has shape"):
        Affine(np.eye(2), np.zeros(3))
