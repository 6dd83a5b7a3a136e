"""Phases of ReLUs: fixed, or linear in the input."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from halved_networks import network, patched, wanted

from marapatch.network.graph import dense_network
from marapatch.patch_attacks.halving import Halving, find_first_layer_patch
from marapatch.patch_attacks.options import PatchAttackOptions
from marapatch.patch_attacks.phases import FEWEST_SAMPLES, Samples, lines
from marapatch.problem.conditions import OutputCondition, Rule, beats


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
