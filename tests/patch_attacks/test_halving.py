"""Halving: the order of layers, properties that ask no less than they must, patches that work."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, inf

import numpy as np
import pytest
from small_networks import plain

from marapatch.errors import InputError
from marapatch.network.cut import tail
from marapatch.network.graph import Network, dense_network
from marapatch.patch_attacks.halving import (
    FirstLayerPatch,
    Halving,
    dense_layers,
    find_first_layer_patch,
    published,
)
from marapatch.patch_attacks.options import PatchAttackOptions
from marapatch.patch_attacks.phases import FEWEST_SAMPLES, Samples, lines
from marapatch.patch_attacks.preimage import equalities, relaxed
from marapatch.problem.conditions import OutputCondition, Rule, beats
from marapatch.problem.norm import PROVED, Norm

MARGIN = 1e-3


def network(seed: int, sizes: tuple[int, ...] = (6, 14, 12, 10, 3)) -> Network:
    """Wide enough that every class is within reach from every layer."""
    return dense_network(*plain(np.random.default_rng(seed), sizes))


def wanted(net: Network, x: np.ndarray) -> tuple[int, OutputCondition]:
    """The class that comes second, and the condition that it leads."""
    second = int(np.argsort(-net.evaluate(x)[0])[1])
    return second, beats(second, net.outputs, Rule.ARGMAX, MARGIN)


def patched(net: Network, found: FirstLayerPatch) -> Network:
    layer = net.affine_layers[found.layer]
    weight, _ = net.weights(layer.node)
    assert found.delta is not None
    return net.with_weights(layer.node, weight + found.delta)


def test_published_order_ends_at_the_first_layer() -> None:
    assert [published(n) for n in (1, 2, 3, 4, 7)] == [(1,), (1,), (2, 1), (2, 1), (4, 2, 1)]


def test_erratum_as_printed_the_loop_stays_at_three() -> None:
    count = 3
    for _ in range(10):
        count = ceil(count / 2) + 1
    assert count == 3


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("norm", list(PROVED))
def test_a_patch_of_the_first_layer_makes_the_network_decide_as_wanted(
    seed: int, norm: Norm
) -> None:
    net = network(seed)
    x = np.random.default_rng(seed).random(6)
    target, condition = wanted(net, x)
    found = find_first_layer_patch(net, x, condition, PatchAttackOptions(patch_norm=norm.value))
    assert found.found
    assert found.layer == 0
    assert np.argmax(patched(net, found).evaluate(x)[0]) == target
    last = found.stages[-1]
    assert found.delta is not None
    assert last.upper == pytest.approx(norm.distance(found.delta.reshape(-1)), rel=1e-9)
    assert last.changed == np.count_nonzero(found.delta)
    assert (last.norm, last.layer) == (norm.value, 0)


@pytest.mark.parametrize("seed", range(8))
def test_stages_follow_the_published_order(seed: int) -> None:
    net = network(seed)
    x = np.random.default_rng(seed).random(6)
    halving = Halving(net, x, wanted(net, x)[1], PatchAttackOptions())
    assert next(halving.attempts()).found
    order = [stage.layer + 1 for stage in halving.stages if stage.succeeded]
    assert order[-2:] == [2, 1]
    assert halving.stages[0].kind == "middle patch"
    assert halving.stages[-1].kind == "halved patch"


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_relaxed_property_asks_enough_and_its_values_meet_it(seed: int, layer: int) -> None:
    net = network(seed)
    form = tail(net, layer)
    rng = np.random.default_rng(100 + seed)
    values = rng.normal(size=form.inputs)
    target = int(np.argmax(form.evaluate(values[None])[0]))
    condition = beats(target, 3, Rule.ARGMAX)
    rows = relaxed(form, values, condition)
    assert rows.worst(values[None])[0] >= -1e-12
    points = values + rng.normal(size=(4000, values.size)) * rng.random((4000, 1))
    met = rows.worst(points) >= 0.0
    assert met.any()
    assert (condition.worst(form.evaluate(points[met])) >= -1e-9).all()


def test_marks_drop_rows_for_phases_and_stay_sound() -> None:
    # y = relu(z_0) + 2 relu(z_1) - relu(z_2): the first two only ever help.
    one = dense_network([np.eye(3), np.array([[1.0, 2.0, -1.0]])], [np.zeros(3), np.zeros(1)])
    form = tail(one, 0)
    condition = OutputCondition(np.array([[1.0]]), np.array([1.0]))
    values = np.array([1.0, -0.5, -1.0])
    rows = relaxed(form, values, condition)
    assert rows.rhs.size == 2
    points = np.random.default_rng(0).normal(size=(5000, 3)) * 2.0
    met = rows.worst(points) >= 0.0
    assert (met & (points[:, 0] < 0.0)).sum() == 0
    assert (met & (points[:, 1] > 0.0)).any()
    assert (condition.worst(form.evaluate(points[met])) >= 0.0).all()


@pytest.mark.parametrize("seed", range(10))
def test_equalities_relaxed_by_marks_are_sound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights, biases = plain(rng, (3, 4, 2))
    weights[1] = np.abs(weights[1]) * np.array([[1.0], [-1.0]])  # the first output only rises
    net = dense_network(weights, biases)
    form = tail(net, 0)
    values = rng.normal(size=4)
    outputs = form.evaluate(values[None])[0]
    condition = OutputCondition(np.array([[1.0, -1.0]]), np.array([outputs[0] - outputs[1]]))
    rows = equalities(form, values, condition)
    blocked = int((values <= 0.0).sum())
    assert rows.rhs.size == max(4 - blocked, 1)  # >= for what helps, nothing for what a ReLU blocks
    points = values + rng.normal(size=(3000, 4))
    met = rows.worst(points) >= 0.0
    assert met.sum() > 10
    assert (condition.worst(form.evaluate(points[met])) >= -1e-12).all()


def test_equalities_of_mixed_neurons_are_equalities_unless_blocked() -> None:
    net = network(3, (3, 4, 5, 3))
    form = tail(net, 0)
    values = np.array([1.0, -1.0, 0.5, -2.0])
    rows = equalities(form, values, beats(0, 3, Rule.ARGMAX))
    assert rows.worst(np.array([[1.0, -1.0, 0.5, -2.0]]))[0] >= 0.0
    assert rows.worst(np.array([[1.0, -3.0, 0.5, -0.1]]))[0] >= 0.0
    assert rows.worst(np.array([[1.1, -1.0, 0.5, -2.0]]))[0] < 0.0
    assert rows.worst(np.array([[1.0, 0.1, 0.5, -2.0]]))[0] < 0.0


@pytest.mark.parametrize("seed", range(3))
def test_fixed_phases_never_give_a_smaller_middle_patch_than_free_ones(seed: int) -> None:
    net = network(seed)
    x = np.random.default_rng(seed).random(6)
    _, condition = wanted(net, x)
    middle = {}
    for phases in ("free", "fixed"):
        options = PatchAttackOptions(phases=phases, prove=10.0)
        halving = Halving(net, x, condition, options)
        next(halving.attempts(), None)
        middle[phases] = halving.stages[0].upper
    assert middle["free"] <= middle["fixed"] * (1.0 + 1e-3)


def test_fixed_phases_are_enforced() -> None:
    # The only way to raise the output is to open a ReLU that is closed on the input.
    net = dense_network([np.eye(2), np.array([[1.0, 0.0], [0.0, 1.0]])], [np.zeros(2)] * 2)
    x, condition = np.array([1.0, -1.0]), beats(1, 2, Rule.ARGMAX, 3.0)
    options = PatchAttackOptions(phases="fixed")
    found = find_first_layer_patch(net, x, condition, options)
    assert not found.found
    assert found.reason == "no patch keeps the phases of the image, and none holds without them"
    assert all(stage.upper == inf for stage in found.stages)
    assert find_first_layer_patch(net, x, condition, replace(options, phases="free")).found


def test_lines_are_least_squares() -> None:
    z = np.random.default_rng(0).normal(size=(200, 3)) + np.array([0.0, 5.0, -5.0])
    slope, offset = lines(z)
    for i in range(3):
        known = np.polyfit(z[:, i], np.maximum(z[:, i], 0.0), 1)
        assert (slope[i], offset[i]) == pytest.approx(tuple(known), abs=1e-12)
    assert slope[1:] == pytest.approx([1.0, 0.0], abs=1e-12)


def test_samples_are_those_that_meet_the_condition_where_there_are_enough() -> None:
    net = network(0)
    inputs = np.random.default_rng(0).random((300, 6))
    decided = net.evaluate(inputs).argmax(axis=1)
    common, rare = np.argmax(np.bincount(decided)), 10**6
    chosen = Samples.of(net, inputs, beats(int(common), 3, Rule.ARGMAX))
    assert len(chosen.inputs) == (decided == common).sum()
    none = OutputCondition(np.array([[1.0, 0.0, 0.0]]), np.array([float(rare)]))
    assert len(Samples.of(net, inputs[:FEWEST_SAMPLES], none).inputs) == FEWEST_SAMPLES


def test_linear_phases_find_patches_that_work() -> None:
    found = 0
    for seed in range(6):
        net = network(seed)
        rng = np.random.default_rng(seed)
        x = rng.random(6)
        target, condition = wanted(net, x)
        options = PatchAttackOptions(phases="linear", samples=rng.random((200, 6)))
        patch = find_first_layer_patch(net, x, condition, options)
        if patch.found:
            found += 1
            assert np.argmax(patched(net, patch).evaluate(x)[0]) == target
    assert found >= 2


def test_a_bracket_is_proved_on_demand() -> None:
    net = network(1)
    x = np.random.default_rng(1).random(6)
    _, condition = wanted(net, x)
    halving = Halving(net, x, condition, PatchAttackOptions(prove=20.0, backend="highs"))
    next(halving.attempts())
    middle = halving.stages[0]
    assert 0.98 * middle.upper <= middle.lower <= middle.upper


def test_nothing_enters_a_layer_whose_sources_are_all_zero() -> None:
    dead = dense_network(
        [-np.eye(2), np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2), np.eye(2)[0]]
    )
    found = find_first_layer_patch(dead, np.zeros(2), beats(1, 2, Rule.ARGMAX, MARGIN))
    assert not found.found
    assert {stage.note for stage in found.stages} == {"nothing enters the layer on this image"}


def test_layers_and_inputs_are_checked() -> None:
    net = network(0)
    assert [layer.number for layer in dense_layers(net)] == [0, 1, 2, 3]
    with pytest.raises(InputError, match="one input is needed, 2 were given"):
        find_first_layer_patch(net, np.zeros((2, 6)), beats(0, 3, Rule.ARGMAX))
