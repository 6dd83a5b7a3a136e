"""A patch as a question: by weight and by neuron, the same radius and the same patches."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from small_networks import plain

from marapatch.network.graph import Network, dense_network
from marapatch.patching.formulation import (
    PatchProblem,
    PatchQuestion,
    by_neuron,
    by_weight,
    projectable,
)
from marapatch.patching.free_weights import FreeWeights, free_weights
from marapatch.patching.goals import combinations, one_of
from marapatch.patching.verify_patch import PatchVerifier
from marapatch.problem.conditions import Rule
from marapatch.problem.norm import PROVED, Norm


def formulated(
    norm: Norm, **options: object
) -> tuple[Network, FreeWeights, dict[str, PatchQuestion]]:
    rng = np.random.default_rng(7)
    net = dense_network(*plain(rng, (4, 5, 3)))
    x = rng.uniform(0.1, 1.0, (1, 4))
    wanted = int(np.argsort(net.evaluate(x)[0])[1])
    goals = (one_of([wanted], 3, Rule.ARGMAX, 1e-3),)
    what = free_weights(net, net.affine_layers[0], **options)
    verifier = PatchVerifier(net, what, x, goals, norm)
    (clauses,) = combinations(goals)
    asked = PatchProblem.of(verifier)
    return (
        net,
        what,
        {
            "weights": by_weight(asked, clauses, marks=False),
            "neurons": by_neuron(asked, clauses, marks=False),
        },
    )


@pytest.mark.parametrize("norm", list(PROVED))
def test_a_variable_a_weight_or_a_neuron(norm: Norm) -> None:
    _, what, asked = formulated(norm)
    assert asked["weights"].question.form.inputs == np.count_nonzero(what.free)
    assert asked["neurons"].question.form.inputs == what.layer.outputs
    for one in asked.values():
        assert one.question.ball.norm is norm
        assert not one.question.ball.centre.any()
        assert np.isinf(one.question.ball.upper).all()


@pytest.mark.parametrize("norm", list(PROVED))
@pytest.mark.parametrize("by", ["weights", "neurons"])
def test_what_replays_is_a_patch_of_that_size(norm: Norm, by: str) -> None:
    net, what, asked = formulated(norm)
    one, rng = asked[by], np.random.default_rng(0)
    size = one.question.form.inputs
    found = 0
    for _ in range(300):
        witness = one.question.replay(rng.normal(size=size) * rng.uniform(0.1, 3.0))
        if witness is None:
            continue
        found += 1
        verified = one.replays.of(witness)
        assert verified.size == witness.distance
        patched = what.apply(net, verified.change)
        assert (verified.margins > 0.0).all()
        assert patched.evaluate(one.replays.verifier.inputs) == pytest.approx(verified.outputs)
    assert found > 5


def test_limits_of_weights_are_those_of_the_box() -> None:
    _, _, asked = formulated(Norm.LINF, max_change=0.5)
    ball = asked["weights"].question.ball
    assert (ball.lower == -0.5).all()
    assert (ball.upper == 0.5).all()


def test_neurons_pose_the_same_question_only_where_limits_allow() -> None:
    _, free, _ = formulated(Norm.L1)
    _, limited, _ = formulated(Norm.LINF, max_change=0.5)
    assert projectable(free, 1, Norm.L1)
    assert not projectable(free, 2, Norm.L1)
    assert projectable(limited, 1, Norm.LINF)
    assert not projectable(limited, 1, Norm.L1)
    assert free.upper[free.free].min() == inf
