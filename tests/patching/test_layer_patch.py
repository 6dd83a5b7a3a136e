"""One layer: the goals' alternatives, limits, marks and engines."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from layer_patches import holds
from small_patches import MARGIN, alternatives, draw, formulated

from marapatch.patching.api import minimal_patch
from marapatch.patching.goals import Goal, each_of, linear, none_of, one_of
from marapatch.patching.options import PatchOptions
from marapatch.problem.conditions import Rule


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
