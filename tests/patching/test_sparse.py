"""The fewest numbers to change."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from patch_questions import network
from small_patches import MARGIN, draw, formulated

from marapatch.errors import ContradictionError
from marapatch.patching import sparse
from marapatch.patching.goals import one_of
from marapatch.patching.options import PatchOptions
from marapatch.patching.solve import PatchProgress
from marapatch.patching.sparse import sparse_patch
from marapatch.problem.conditions import Rule


@pytest.mark.parametrize("seed", range(3))
def test_fewest_weights(seed: int) -> None:
    """Against every subset of the last layer's weights."""
    network, case, decided = draw(seed + 80, (2, 3, 3), 1)
    goal = one_of([(decided[0] + 1) % 3], 3, Rule.ARGMAX, MARGIN)
    limit = 0.45
    least = inf
    for support in range(1, 2**9):
        free = np.array([support >> k & 1 for k in range(9)], dtype=bool).reshape(3, 3)
        if free.sum() < least:
            known = formulated(case, [goal], layer=1, norm="l1", free=free, limit=limit)
            if known.optimum() < inf:
                least = int(free.sum())
    patch = sparse_patch(
        network, case.inputs, goal, layer=1, max_change=limit, options=PatchOptions(nodes=2000)
    )
    assert patch.lower == patch.upper == least
    if least < inf:
        assert patch.changed_weights == least
        assert np.abs(patch.delta).max() <= limit  # type: ignore[arg-type]


def test_one_weight_too_few_is_never_claimed() -> None:
    """An inner layer: the bracket of the count is honest."""
    network, case, decided = draw(90, (2, 3, 3), 1)
    goal = one_of([(decided[0] + 1) % 3], 3, Rule.ARGMAX, MARGIN)
    least = inf
    for support in range(1, 2**6):
        free = np.array([support >> k & 1 for k in range(6)], dtype=bool).reshape(3, 2)
        known = formulated(case, [goal], layer=0, norm="l1", free=free, limit=0.8)
        if free.sum() < least and known.optimum() < inf:
            least = int(free.sum())
    patch = sparse_patch(
        network, case.inputs, goal, layer=0, max_change=0.8, options=PatchOptions(nodes=2000)
    )
    assert patch.lower <= least <= patch.upper


def test_an_interrupted_search_for_the_fewest_has_counts_as_ends() -> None:
    net, inputs = network()
    wanted = 3 - int(net.evaluate(inputs[:1]).argmax())

    def stop(progress: PatchProgress) -> None:
        if progress.lower > 0.0 and progress.upper < inf:
            raise KeyboardInterrupt

    patch = sparse_patch(
        net,
        inputs[0],
        wanted,
        layer=0,
        max_change=0.5,
        options=PatchOptions(tolerance=1e-6, nodes=2000),
        progress=stop,
    )
    assert patch.interrupted
    assert patch.upper == patch.changed_weights >= patch.lower == int(patch.lower) >= 1
    assert patch.note == "interrupted"


def test_a_proof_against_a_patch_that_is_known_surfaces() -> None:
    net, inputs = network()
    wanted = 3 - int(net.evaluate(inputs[:1]).argmax())
    patch = sparse_patch(
        net, inputs[0], wanted, layer=1, max_change=1.0, options=PatchOptions(nodes=500)
    )
    assert patch.delta is not None
    with pytest.raises(ContradictionError):
        sparse._counted(patch, patch.upper + 1.0, "")
