"""Patches of small networks against every phase pattern, and every engine against the others."""

from __future__ import annotations

from fractions import Fraction
from math import inf

import numpy as np
import pytest
from exact_networks import evaluate_exactly
from small_patches import MARGIN, alternatives, draw, formulated

from marapatch.network.graph import dense_network
from marapatch.patching.api import minimal_patch
from marapatch.patching.goals import Goal, each_of, linear, none_of, one_of
from marapatch.patching.options import PatchOptions
from marapatch.patching.patch import Patch
from marapatch.problem.conditions import Rule

TOLERANCE = 1e-3


COARSE = 1e-2
"""What Marabou's answers support on their own."""


SLACK = 1e-6
"""How far the second opinion's linear programs may be off, relatively."""


def holds(patch: Patch, optimum: float, tolerance: float = TOLERANCE) -> None:
    """The bracket is closed, contains the optimum, and the patch does what it says, exactly."""
    if optimum == inf:  # without limits, only a layer with no ReLU behind it can prove that
        assert patch.delta is None
        assert patch.infeasible or (patch.layer.number < 2 and not patch.closed)
        return
    assert patch.closed
    assert patch.lower <= optimum * (1.0 + SLACK)
    assert optimum * (1.0 - SLACK) <= patch.upper <= optimum * (1.0 + tolerance + SLACK)
    patched = patch.apply()
    for x, goal in zip(patch.inputs, patch.goals, strict=True):
        outputs = evaluate_exactly(patched, [Fraction(float(v)) for v in x])
        assert any(
            all(
                sum(
                    (Fraction(float(c)) * y for c, y in zip(row, outputs, strict=True)), Fraction(0)
                )
                > Fraction(float(need))
                for row, need in zip(rows, rhs, strict=True)
            )
            for rows, rhs in alternatives(goal)
        )


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


@pytest.mark.parametrize("norm", ["linf", "l1"])
@pytest.mark.parametrize("layer", [1, 2])
def test_a_choice_between_classes(layer: int, norm: str) -> None:
    network, case, decided = draw(7, (3, 3, 3, 4), 2)
    goals = [none_of([d], 4, Rule.ARGMAX, MARGIN) for d in decided]
    optimum = formulated(case, goals, layer=layer, norm=norm).optimum()
    patch = minimal_patch(
        network, case.inputs, goals, layer=layer, norm=norm, options=PatchOptions(nodes=2000)
    )
    holds(patch, optimum)
    cases = [  # the same choice, tried out case by case instead of by a maximum
        Goal(
            tuple(c for rows, rhs in alternatives(g) for c in linear(rows, rhs, 4).clauses),
            g.text,
            MARGIN,
        )
        for g in goals
    ]
    options = PatchOptions(nodes=2000)
    holds(
        minimal_patch(network, case.inputs, cases, layer=layer, norm=norm, options=options), optimum
    )


@pytest.mark.parametrize(
    "limits",
    [
        {"bias": True},
        {"limit": 0.4},
        {"limit": 0.02},
        {"free": np.arange(9).reshape(3, 3) % 2 == 0},
        {"free": np.arange(9).reshape(3, 3) % 3 == 1, "limit": 0.7, "bias": True},
    ],
    ids=["bias", "limited", "too limited", "masked", "all three"],
)
@pytest.mark.parametrize("norm", ["linf", "l1"])
@pytest.mark.parametrize("layer", [1, 2])
def test_bias_limits_and_masks(layer: int, norm: str, limits: dict[str, object]) -> None:
    network, case, decided = draw(11, (3, 3, 3, 3), 1)
    goal = each_of([(decided[0] + 1) % 3], 3, Rule.ARGMAX, MARGIN)
    optimum = formulated(case, [goal], layer=layer, norm=norm, **limits).optimum()
    patch = minimal_patch(
        network,
        case.inputs,
        goal,
        layer=layer,
        norm=norm,
        bias=bool(limits.get("bias", False)),
        max_change=limits.get("limit"),  # type: ignore[arg-type]
        mask=limits.get("free"),  # type: ignore[arg-type]
        options=PatchOptions(nodes=2000),
    )
    holds(patch, optimum)
    if patch.delta is not None:
        free = limits.get("free", np.ones((3, 3), dtype=bool))
        assert (patch.delta[~np.asarray(free)] == 0.0).all()
        assert np.abs(patch.delta).max() <= limits.get("limit", inf)  # type: ignore[operator]


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


@pytest.mark.parametrize("norm", ["linf", "l1"])
@pytest.mark.parametrize("seed", range(3))
def test_marks_keep_the_optimum(seed: int, norm: str) -> None:
    network, case, decided = draw(seed + 40, (3, 4, 3, 3), 1)
    goal = one_of([(decided[0] + 1) % 3], 3, Rule.ARGMAX, MARGIN)
    for layer in (1, 2):
        found = [
            minimal_patch(
                network,
                case.inputs,
                goal,
                layer=layer,
                norm=norm,
                options=PatchOptions(nodes=2000, engine="weights", marks=marks),
            )
            for marks in (True, False)
        ]
        optimum = formulated(case, [goal], layer=layer, norm=norm).optimum()
        for patch in found:
            holds(patch, optimum)


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
