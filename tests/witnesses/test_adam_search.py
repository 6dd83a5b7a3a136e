"""A first witness where many rows pull in different directions."""

from __future__ import annotations

from math import inf
from time import monotonic

import pytest
from patch_questions import network

from marapatch.patching.formulation import PatchProblem, by_weight
from marapatch.patching.free_weights import free_weights
from marapatch.patching.goals import combinations, one_of
from marapatch.patching.verify_patch import PatchVerifier
from marapatch.problem.conditions import Rule
from marapatch.problem.norm import PROVED, Norm
from marapatch.witnesses.adam_search import adam_search
from marapatch.witnesses.first_witness import shrink


@pytest.mark.parametrize("norm", list(PROVED))
def test_many_inputs_at_once(norm: Norm) -> None:
    """Twenty inputs, each to be decided otherwise, by one inner layer of 144 weights."""
    net, inputs = network()
    goals = tuple(
        one_of([(int(d) + 1) % 4], 4, Rule.ARGMAX, 1e-3)
        for d in net.evaluate(inputs).argmax(axis=1)
    )
    what = free_weights(net, net.affine_layers[1])
    verifier = PatchVerifier(net, what, inputs, goals, norm)
    (clauses,) = combinations(goals)
    formulated = by_weight(PatchProblem.of(verifier), clauses)
    found = adam_search(formulated.question, inf)
    assert found is not None
    verified = verifier(formulated.replays.of(found).change)
    assert verified is not None
    assert verified.size == found.distance
    nearer = shrink(formulated.question, found, inf)
    assert nearer.distance < found.distance
    assert adam_search(formulated.question, monotonic()) is None
