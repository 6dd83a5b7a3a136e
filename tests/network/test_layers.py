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
from marapatch.network.parameters import Kind, Parameters, Sharing, Stored
from marapatch.network.windows import Windows, convolution

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


def _convolution() -> tuple[Affine, np.ndarray, np.ndarray]:
    windows = Windows((3, 4), (2, 2), (1, 1), (1, 1), (0, 1), (0, 0))
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(4, 1, 2, 2)), rng.normal(size=4)
    sharing = convolution(windows, kernel.shape, 2, np.arange(24))
    parameters = Parameters(Kind.CONV, kernel.shape, 4, None, None, sharing)
    return (
        Affine(sharing.matrix(kernel, 24), bias[sharing.biases], parameters),
        kernel,
        bias,
    )


def test_a_convolution_is_what_its_definition_says() -> None:
    layer, kernel, bias = _convolution()
    image = np.random.default_rng(1).normal(size=(2, 3, 4))
    padded = np.pad(image, ((0, 0), (0, 0), (1, 0)))
    expected = [
        bias[m] + (kernel[m, 0] * padded[m // 2, i : i + 2, j : j + 2]).sum()
        for m in range(4)
        for i in range(2)
        for j in range(4)
    ]
    np.testing.assert_allclose(layer(image.reshape(1, -1))[0], expected, rtol=1e-14)


def test_the_kernel_comes_back_out_of_the_matrix() -> None:
    layer, kernel, bias = _convolution()
    assert layer.parameters is not None
    np.testing.assert_array_equal(layer.parameters.weight_of(layer.weight), kernel)
    np.testing.assert_array_equal(layer.parameters.bias_of(layer.bias), bias)
    changed = layer.replaced(kernel + 1.0, bias * 2.0)
    assert changed.parameters is layer.parameters
    np.testing.assert_array_equal(changed.parameters.weight_of(changed.weight), kernel + 1.0)
    np.testing.assert_array_equal(changed.parameters.bias_of(changed.bias), bias * 2.0)
    places = changed.weight.toarray() - layer.weight.toarray()
    assert ((np.abs(places - 1.0) < 1e-12) == (layer.weight.toarray() != 0.0)).all()


def test_kernel_entries_that_meet_only_padding_are_not_used() -> None:
    windows = Windows((1,), (3,), (1,), (1,), (1,), (1,))
    sharing = convolution(windows, (1, 1, 3), 1, np.arange(1))
    parameters = Parameters(Kind.CONV, (1, 1, 3), 1, None, None, sharing)
    assert parameters.used.tolist() == [[[False, True, False]]]


def test_replaced_numbers_are_rounded_to_the_type_of_the_file() -> None:
    stored = Stored("w", np.dtype(np.float32), np.arange(2).reshape(1, 2))
    layer = Affine(
        np.zeros((1, 2)), np.zeros(1), Parameters(Kind.GEMM, (1, 2), 0, stored, None, None)
    )
    changed = layer.replaced([[0.1, 2.0]])
    assert changed.weight.tolist() == [[float(np.float32(0.1)), 2.0]]
    with pytest.raises(InputError, match="NaN or infinity"):
        layer.replaced([[1e39, 0.0]])
    with pytest.raises(InputError, match="no bias of its own"):
        layer.replaced(bias=[1.0])
    with pytest.raises(InputError, match=r"shape \(2,\) given, the layer's is \(1, 2\)"):
        layer.replaced([0.1, 2.0])


def test_layers_without_parameters_cannot_be_replaced() -> None:
    with pytest.raises(InputError, match="cannot be patched"):
        Affine(np.eye(2), np.zeros(2)).replaced(np.eye(2))


def test_one_number_cannot_stand_for_two_parameters() -> None:
    with pytest.raises(InputError, match="stands for several"):
        Stored("w", np.dtype(np.float32), np.array([0, 1, 1]))


def test_shared_places_are_in_the_order_of_a_csr_matrix() -> None:
    rows, columns, entries = np.array([1, 0, 1]), np.array([2, 1, 0]), np.array([5, 6, 7])
    sharing = Sharing.of(rows, columns, entries, np.zeros(2, dtype=np.int64))
    matrix = freeze_matrix(sharing.matrix(np.arange(10.0), 3), "matrix")
    np.testing.assert_array_equal(matrix.data, sharing.entries)
    np.testing.assert_array_equal(matrix.toarray(), [[0, 6, 0], [7, 0, 5]])
