"""Networks cut at a pre-activation."""

from __future__ import annotations

import numpy as np
import pytest
from exact_networks import Sketch
from small_networks import is_chain

from marapatch.errors import InputError
from marapatch.network.cut import head, head_network, pattern, tail, tail_network
from marapatch.network.graph import Network, dense_network
from marapatch.network.layers import Affine, LeakyRelu, Relu, Sum
from marapatch.network.parameters import Parameters

RNG = np.random.default_rng(2)
SIZES = (4, 6, 5, 3)


def _chain() -> Network:
    pairs = zip(SIZES[1:], SIZES[:-1], strict=True)
    return dense_network(
        [RNG.normal(size=p) for p in pairs], [RNG.normal(size=n) for n in SIZES[1:]]
    )


def _affine(outputs: int, inputs: int) -> Affine:
    weight = RNG.normal(size=(outputs, inputs))
    return Affine(weight, RNG.normal(size=outputs), Parameters.dense(weight))


def _residual() -> Network:
    """affine0 - relu - affine1, plus a skip around both - relu - affine2."""
    sketch = Sketch(4)
    first = sketch.add(Relu(), sketch.add(_affine(4, 4), "input"))
    second = sketch.add(_affine(4, 4), first)
    both = sketch.add(Sum((1.0, 1.0)), second, first)
    return sketch.network(sketch.add(_affine(2, 4), sketch.add(LeakyRelu(0.1), both)), 2)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_head_and_tail_make_the_network(number: int) -> None:
    network = _chain()
    x = RNG.normal(size=(30, 4))
    for whole in (network, network.standard_form):
        z = head(whole, number).evaluate(x)
        after = tail(whole, number)
        assert after.inputs == z.shape[1] == SIZES[number + 1]
        np.testing.assert_allclose(after.evaluate(z), network.evaluate(x), rtol=0, atol=1e-12)
    node = network.affine_layers[number].node
    np.testing.assert_array_equal(head(network, number).evaluate(x), network.values(x)[node])


def test_the_tail_starts_with_the_relu() -> None:
    form = tail(_chain(), 0)
    np.testing.assert_array_equal(form.hidden[0].weights[0].toarray(), np.eye(6))
    assert is_chain(form)
    assert tail(_chain(), 2).hidden == ()


def test_a_skip_around_the_cut_is_refused() -> None:
    network = _residual()
    x = RNG.normal(size=(10, 4))
    for number in (0, 2):
        z = head(network, number).evaluate(x)
        np.testing.assert_allclose(
            tail(network, number).evaluate(z), network.evaluate(x), rtol=0, atol=1e-12
        )
    with pytest.raises(InputError, match="cannot be cut at 'node3': 'node4' takes 'node2' around"):
        tail(network, 1)
    assert head(network, 1).outputs == 4


def test_a_form_is_cut_where_nothing_bypasses() -> None:
    form = _residual().standard_form
    x = RNG.normal(size=(10, 4))
    for number in range(len(form.hidden) + 1):
        around = any(
            source <= number
            for layer in (*form.hidden, form.output)[number + 1 :]
            for source in layer.sources
        )
        if around:
            with pytest.raises(InputError, match=f"cannot be cut at layer {number}"):
                tail(form, number)
        else:
            z = head(form, number).evaluate(x)
            np.testing.assert_allclose(tail(form, number).evaluate(z), form.evaluate(x), atol=1e-12)


@pytest.mark.parametrize("number", [-1, 3])
def test_layers_that_do_not_exist(number: int) -> None:
    network = _chain()
    for whole in (network, network.standard_form):
        for cut in (head, tail):
            with pytest.raises(
                InputError, match=rf"layer {number} does not exist; layers are 0 to 2"
            ):
                cut(whole, number)


def test_networks_cut_anywhere() -> None:
    network = _chain()
    x = RNG.normal(size=(10, 4))
    values = network.values(x)
    for node in network.order:
        after = tail_network(network, node)
        np.testing.assert_allclose(after.evaluate(values[node]), network.evaluate(x), atol=1e-12)
        assert after.source is None
        if node != network.input_node:
            np.testing.assert_array_equal(head_network(network, node).evaluate(x), values[node])


def test_pattern_is_that_of_the_relus() -> None:
    network = _chain()
    x = RNG.normal(size=(8, 4))
    values = network.values(x)
    phases = pattern(network, x)
    np.testing.assert_array_equal(phases[0], values["affine0"] > 0.0)
    np.testing.assert_array_equal(phases[1], values["affine1"] > 0.0)
    for one, other in zip(phases, pattern(network.standard_form, x), strict=True):
        np.testing.assert_array_equal(one, other)
    assert pattern(network, x[0])[0].shape == (1, 6)
