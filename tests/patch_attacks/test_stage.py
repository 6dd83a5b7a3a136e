"""One stage: its bracket, proved on demand, and what it does not take."""

from __future__ import annotations

import numpy as np
from halved_networks import MARGIN, network, wanted

from marapatch.network.graph import dense_network
from marapatch.patch_attacks.halving import Halving, find_first_layer_patch
from marapatch.patch_attacks.options import PatchAttackOptions
from marapatch.problem.conditions import Rule, beats


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
