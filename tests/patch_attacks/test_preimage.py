"""Properties asked of a layer: they ask no less than they must."""

from __future__ import annotations

import numpy as np
import pytest
from halved_networks import network
from small_networks import plain

from marapatch.network.cut import tail
from marapatch.network.graph import dense_network
from marapatch.patch_attacks.preimage import equalities, relaxed
from marapatch.problem.conditions import OutputCondition, Rule, beats


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
