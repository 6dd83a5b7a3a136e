"""The parameters behind affine layers, and layers with others."""

from __future__ import annotations

import numpy as np
import pytest
from convolutions import a_convolution

from marapatch.errors import InputError
from marapatch.network.layers import Affine, freeze_matrix
from marapatch.network.parameters import Kind, Parameters, Sharing, Stored
from marapatch.network.windows import Windows, convolution


def test_the_kernel_comes_back_out_of_the_matrix() -> None:
    layer, kernel, bias = a_convolution()
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
