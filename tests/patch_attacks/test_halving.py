"""Halving: the order of layers, properties that ask no less than they must, patches that work."""

from __future__ import annotations

from math import ceil, inf

import numpy as np
import pytest
from halved_networks import network, patched, wanted

from marapatch.errors import InputError
from marapatch.patch_attacks.halving import Halving, dense_layers, find_first_layer_patch, published
from marapatch.patch_attacks.options import PatchAttackOptions
from marapatch.problem.conditions import Rule, beats
from marapatch.problem.norm import PROVED, Norm


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
    order = [stage.layer + 1 for stage in halving.stages if stage.upper < inf]
    assert order[-2:] == [2, 1]
    assert halving.stages[0].kind == "middle patch"
    assert halving.stages[-1].kind == "halved patch"


def test_layers_and_inputs_are_checked() -> None:
    net = network(0)
    assert [layer.number for layer in dense_layers(net)] == [0, 1, 2, 3]
    with pytest.raises(InputError, match="one input is needed, 2 were given"):
        find_first_layer_patch(net, np.zeros((2, 6)), beats(0, 3, Rule.ARGMAX))
