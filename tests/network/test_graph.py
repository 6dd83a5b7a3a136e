"""Networks are values: evaluated by shape, changed only as copies, in one order."""

from __future__ import annotations

import numpy as np
import pytest

from marapatch.errors import InputError
from marapatch.network.graph import dense_network
from marapatch.network.output_transform import OutputTransform

WEIGHTS = [np.array([[1.0, -1.0], [2.0, 0.5]]), np.array([[1.0, 1.0]])]
BIASES = [np.array([0.0, -1.0]), np.array([0.25])]


def test_outputs_of_one_input_and_of_a_batch() -> None:
    network = dense_network(WEIGHTS, BIASES)
    assert (network.inputs, network.outputs) == (2, 1)
    assert network.evaluate([2.0, 1.0]).tolist() == [[1.0 + 3.5 + 0.25]]
    assert network.evaluate([[2.0, 1.0], [0.0, 0.0]]).tolist() == [[4.75], [0.25]]
    with pytest.raises(InputError, match="3"):
        network.evaluate([1.0, 2.0, 3.0])


def test_every_node_s_value_is_there_in_order() -> None:
    network = dense_network(WEIGHTS, BIASES)
    values = network.values([2.0, 1.0])
    assert list(values) == list(network.order)
    assert values["affine0"].tolist() == [[1.0, 3.5]]
    assert network.predecessors("relu0") == ("affine0",)


def test_other_weights_make_another_network() -> None:
    network = dense_network(WEIGHTS, BIASES)
    weight, bias = network.weights("affine0")
    weight[0, 0] = 9.0  # a copy
    assert network.weights("affine0")[0][0, 0] == 1.0
    changed = network.with_weights("affine0", weight, bias + 1.0)
    assert changed.evaluate([1.0, 0.0]).tolist() == [[10.0 + 2.0 + 0.25]]
    assert network.evaluate([1.0, 0.0]).tolist() == [[1.0 + 1.0 + 0.25]]
    with pytest.raises(InputError, match="shape"):
        network.with_weights("affine0", np.ones((3, 3)))


def test_layers_that_can_be_patched_are_numbered_in_order() -> None:
    layers = dense_network(WEIGHTS, BIASES).affine_layers
    assert [(layer.number, layer.node, layer.weights, layer.biases) for layer in layers] == [
        (0, "affine0", 4, 2),
        (1, "affine1", 2, 1),
    ]


def test_outputs_that_are_made_of_the_network_s_are_told_apart() -> None:
    from dataclasses import replace

    network = dense_network(WEIGHTS, BIASES)
    network.check_outputs()
    with pytest.raises(InputError):
        replace(network, output_transform=OutputTransform.SOFTMAX).check_outputs()
