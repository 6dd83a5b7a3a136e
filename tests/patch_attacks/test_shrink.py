"""Adversarial inputs made nearer."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from attacked_networks import FAR, SIZE, WIDE, network

from marapatch.patch_attacks.api import patch_attack
from marapatch.patch_attacks.options import PatchAttackOptions
from marapatch.problem.conditions import Rule


@pytest.mark.parametrize("seed", [0, 1, 3, 4, 5])
def test_the_fewest_entries_on_small_networks(seed: int) -> None:
    net, image = network(seed, (5, 6, 6, 3)), np.random.default_rng(seed).random(5)
    found = patch_attack(net, image, options=PatchAttackOptions(targets=2))
    decided = int(np.argmax(net.evaluate(image)[0]))
    corners = np.array(list(product([0.0, 0.5, 1.0], repeat=5)))
    for k in range(1, 6):
        few = np.array([np.where(m, c, image) for c in corners for m in _masks(5, k)])
        if (net.evaluate(few).argmax(axis=1) != decided).any():
            break
    else:
        raise AssertionError("no corner changes the decision")
    assert found.found
    assert found.l0 <= k


def _masks(size: int, count: int) -> np.ndarray:
    masks = np.array(list(product([False, True], repeat=size)))
    return masks[masks.sum(axis=1) == count]


@pytest.mark.parametrize("rule", list(Rule))
def test_an_exact_search_in_the_region_never_has_more_entries(rule: Rule) -> None:
    net, image = network(1, (20, 8, 6, 4)), np.random.default_rng(1).random(20)
    plainly = patch_attack(net, image, decision=rule)
    exactly = patch_attack(net, image, decision=rule, options=PatchAttackOptions(exact=5.0))
    assert 0 < exactly.l0 <= plainly.l0


def test_shrinking_never_makes_it_larger() -> None:
    for seed in range(4):
        net, image = network(seed), np.random.default_rng(seed).random(SIZE)
        found = patch_attack(net, image, box=WIDE, options=FAR)
        stages = found.stages
        pairs = [(a, b) for a, b in pairwise(stages) if b.kind == "shrink"]
        assert pairs
        assert all(b.upper <= a.upper for a, b in pairs)
        assert found.l0 == min(b.upper for _, b in pairs)
