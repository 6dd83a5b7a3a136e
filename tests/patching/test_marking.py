"""Marks against the signs along all paths, and the orders that they promise."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from marked_networks import network

from marapatch.errors import InputError
from marapatch.network.graph import Network
from marapatch.patching.mark_graph import mark
from marapatch.patching.marking import layer_signs, signs
from marapatch.problem.conditions import OutputCondition, Rule, beats


def paths(net: Network, layer: int, index: int, condition: OutputCondition) -> set[float]:
    """The signs of all paths from a neuron to all rows, path by path."""
    weights = [net.weights(known.node)[0] for known in net.affine_layers][layer:]
    found = set()
    for way in product(*(range(w.shape[0]) for w in weights)):
        sign, at = 1.0, index
        for w, to in zip(weights, way, strict=True):
            sign, at = sign * np.sign(w[to, at]), to
        found |= {float(sign * np.sign(row[at])) for row in condition.matrix}
    return found - {0.0}


NAMES = {
    frozenset(): "none",
    frozenset({1.0}): "increment",
    frozenset({-1.0}): "decrement",
    frozenset({1.0, -1.0}): "free",
}


@pytest.mark.parametrize("seed", range(6))
def test_marks_are_the_signs_of_all_paths(seed: int) -> None:
    net = network(seed, (3, 3, 2, 3))
    condition = beats(1, 3, Rule.ARGMAX)
    marking = mark(net, condition)
    for k, marks in enumerate(marking.layers):
        for i, name in enumerate(marks):
            assert name == NAMES[frozenset(paths(net, k, i, condition))]


@pytest.mark.parametrize("rule", list(Rule))
def test_a_class_stands_for_its_condition(rule: Rule) -> None:
    net = network(1, (2, 4, 3))
    by_class, by_condition = mark(net, 2, decision=rule), mark(net, beats(2, 3, rule))
    for one, other in zip(by_class.layers, by_condition.layers, strict=True):
        assert one.tolist() == other.tolist()
    wins, loses = ("increment", "decrement") if rule is Rule.ARGMAX else ("decrement", "increment")
    assert by_class.layers[-1].tolist() == [loses, loses, wins]


def test_moving_against_a_mark_never_helps() -> None:
    rng = np.random.default_rng(0)
    checked = 0
    for seed in range(40):
        net = network(seed, (4, 3, 2))
        condition = OutputCondition(np.array([[1.0, -1.0]]), np.zeros(1))
        up, down = signs(net.standard_form, condition)
        x = rng.normal(size=(50, 4))
        for i in range(4):
            higher = x.copy()
            higher[:, i] += rng.random(50)
            moved = condition.slack(net.evaluate(higher)) - condition.slack(net.evaluate(x))
            if not down[i]:
                assert (moved >= -1e-12).all()
            if not up[i]:
                assert (moved <= 1e-12).all()
            checked += int(up[i] != down[i])
    assert checked > 20


def test_signs_are_those_of_the_first_layer() -> None:
    net = network(5, (3, 4, 4, 2))
    condition = beats(0, 2, Rule.ARGMIN)
    layers = layer_signs(net.standard_form, condition)
    assert len(layers) == 4
    for ours, known in zip(signs(net.standard_form, condition), layers[0], strict=True):
        assert ours.tolist() == known.tolist()


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (5, "target 5 is not one of the 3 classes"),
        (OutputCondition(np.ones((1, 2)), np.zeros(1)), "the condition is on 2 outputs"),
    ],
)
def test_what_does_not_fit_is_named(wanted: OutputCondition | int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        mark(network(0, (2, 3, 3)), wanted)
