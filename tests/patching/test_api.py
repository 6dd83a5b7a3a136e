"""Patches of small networks against every phase pattern, and every engine against the others."""

from __future__ import annotations

import pytest
from layer_patches import SLACK, holds
from small_patches import MARGIN, draw, formulated

from marapatch.network.graph import dense_network
from marapatch.patching.api import minimal_patch
from marapatch.patching.goals import none_of, one_of
from marapatch.patching.options import PatchOptions
from marapatch.problem.conditions import Rule

COARSE = 1e-2
"""What Marabou's answers support on their own."""


@pytest.mark.parametrize("norm", ["linf", "l1"])
@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_one_input(seed: int, layer: int, norm: str) -> None:
    network, case, decided = draw(seed, (3, 3, 3, 3), 1)
    goal = one_of([(decided[0] + 1) % 3], 3, Rule.ARGMAX, MARGIN)
    optimum = formulated(case, [goal], layer=layer, norm=norm).optimum()
    options = PatchOptions(nodes=2000)
    holds(
        minimal_patch(network, case.inputs, goal, layer=layer, norm=norm, options=options), optimum
    )
    weights = PatchOptions(nodes=2000, engine="weights", search="tree")
    holds(
        minimal_patch(network, case.inputs, goal, layer=layer, norm=norm, options=weights), optimum
    )


@pytest.mark.parametrize("norm", ["linf", "l1"])
@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_several_inputs(seed: int, layer: int, norm: str) -> None:
    network, case, decided = draw(seed + 20, (3, 3, 3, 3), 2)
    goals = [one_of([(d + 1 + i) % 3], 3, Rule.ARGMAX, MARGIN) for i, d in enumerate(decided)]
    optimum = formulated(case, goals, layer=layer, norm=norm).optimum()
    patch = minimal_patch(
        network, case.inputs, goals, layer=layer, norm=norm, options=PatchOptions(nodes=2000)
    )
    holds(patch, optimum)


@pytest.mark.parametrize("encoding", ["split", "relu", "abs"])
@pytest.mark.parametrize("layer", [1, 2])
def test_marabou_alone_l1(layer: int, encoding: str) -> None:
    network, case, decided = draw(5, (3, 3, 3, 3), 2)
    goals = [one_of([(d + 1) % 3], 3, Rule.ARGMAX, MARGIN) for d in decided]
    optimum = formulated(case, goals, layer=layer, norm="l1").optimum()
    options = PatchOptions(nodes=2000, search="bisection", encoding=encoding, tolerance=COARSE)  # type: ignore[arg-type]
    patch = minimal_patch(network, case.inputs, goals, layer=layer, norm="l1", options=options)
    holds(patch, optimum, COARSE)
    assert {query.backend for query in patch.queries} == {"marabou"}
    assert patch.engine == "weights"


@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("layer", [1, 2])
def test_marabou_alone_linf(layer: int, inputs: int) -> None:
    network, case, decided = draw(6, (3, 3, 3, 3), inputs)
    goals = [none_of([d], 3, Rule.ARGMAX, MARGIN) for d in decided]
    optimum = formulated(case, goals, layer=layer, norm="linf").optimum()
    options = PatchOptions(nodes=2000, search="bisection", tolerance=COARSE)
    patch = minimal_patch(network, case.inputs, goals, layer=layer, norm="linf", options=options)
    holds(patch, optimum, COARSE)
    assert {query.backend for query in patch.queries} == {"marabou"}


@pytest.mark.parametrize("seed", range(3))
def test_argmin_is_argmax_of_the_negated_network(seed: int) -> None:
    network, case, decided = draw(seed + 60, (3, 3, 3), 1)
    target = (decided[0] + 1) % 3
    turned = dense_network([case.weights[0], -case.weights[1]], [case.biases[0], -case.biases[1]])
    for layer in (0, 1):
        straight = minimal_patch(network, case.inputs, target, layer=layer, margin=MARGIN)
        other = minimal_patch(
            turned, case.inputs, target, layer=layer, margin=MARGIN, decision="argmin"
        )
        assert other.lower <= straight.upper * (1.0 + SLACK)
        assert straight.lower <= other.upper * (1.0 + SLACK)
        assert other.closed
        assert straight.closed
        assert (other.delta is None) == (straight.delta is None)
