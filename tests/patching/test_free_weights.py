"""The numbers of a layer that may change, and how its pre-activations move with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_networks import plain

from marapatch.errors import InputError
from marapatch.network.graph import Network, dense_network
from marapatch.patching.free_weights import free_weights, sources


def network() -> Network:
    return dense_network(*plain(np.random.default_rng(3), (4, 5, 3)))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("number", [0, 1])
def test_pre_activations_move_as_the_matrix_says(number: int, bias: bool) -> None:
    net, rng = network(), np.random.default_rng(1)
    layer = net.affine_layers[number]
    what = free_weights(net, layer, bias=bias)
    inputs = rng.uniform(-1.0, 1.0, (6, 4))
    entering = sources(net, layer, inputs)
    change = np.where(what.free, rng.normal(size=what.numbers), 0.0)
    after = what.apply(net, change).values(inputs)[layer.node]
    for i, values in enumerate(entering.values):
        moved = entering.before[i] + what.matrix(values) @ change
        assert moved == pytest.approx(after[i], abs=1e-12)
    assert bool(what.free[-layer.biases :].any()) is bias


def test_sources_are_what_enters_and_leaves_the_layer_within_their_errors() -> None:
    net = network()
    inputs = np.random.default_rng(2).uniform(-1.0, 1.0, (5, 4))
    values = net.values(inputs)
    entering = sources(net, net.affine_layers[1], inputs)
    assert len(entering) == 5
    assert (np.abs(entering.values - values["relu0"]) <= entering.values_error + 1e-13).all()
    assert (np.abs(entering.before - values["affine1"]) <= entering.before_error + 1e-13).all()
    assert (entering.take(3).values == entering.values[3]).all()
    first = sources(net, net.affine_layers[0], inputs)
    assert not first.values_error.any()  # the inputs are what they are


def test_a_mask_and_a_limit_say_what_may_change() -> None:
    net = network()
    mask = np.zeros((5, 4), dtype=bool)
    mask[2, 1] = True
    what = free_weights(net, net.affine_layers[0], max_change=0.25, mask=mask)
    assert np.flatnonzero(what.free).tolist() == [2 * 4 + 1]
    assert not what.unlimited
    inside, outside = np.zeros(what.numbers), np.zeros(what.numbers)
    inside[9], outside[3] = 0.1, 0.1
    rounded = what.rounded(inside)
    assert rounded is not None
    assert rounded[9] == pytest.approx(0.1, rel=1e-6)
    clipped = what.rounded(10.0 * inside)
    assert clipped is None or abs(clipped[9]) <= 0.25
    refused = what.rounded(outside)
    assert refused is None or not refused.any()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"max_change": 0.0}, "largest change"),
        ({"max_change": float("inf")}, "largest change"),
        ({"mask": np.ones((2, 2))}, "mask has shape"),
        ({"mask": np.full((5, 4), 2.0)}, "booleans"),
        ({"mask": np.zeros((5, 4))}, "no weight may change"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, Any], named: str) -> None:
    net = network()
    with pytest.raises(InputError, match=named):
        free_weights(net, net.affine_layers[0], **given)
