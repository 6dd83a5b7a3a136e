"""Nodes put to the triangle relaxation."""

from __future__ import annotations

import numpy as np
from small_networks import Case, small_case

from marapatch.bounds.crown import linear_bounds
from marapatch.bounds.nodes import Nodes
from marapatch.bounds.subproblems import NodeBounder
from marapatch.bounds.triangle import TriangleProgram
from marapatch.problem.norm import Norm


def cases(norm: Norm, count: int) -> list[Case]:
    found = (small_case(seed, ("plain",)) for seed in range(1000))
    chosen = (case for case in found if case.ball.norm is norm and case.witnessed < np.inf)
    return [case for case, _ in zip(chosen, range(count), strict=False)]


def prepared(case: Case, share: float) -> tuple[NodeBounder, TriangleProgram, Nodes]:
    """The root and all of a random tree below it, two splits deep."""
    rng = np.random.default_rng(0)
    form, ball = case.network.standard_form, case.ball.with_radius(share * case.witnessed)
    bounds = linear_bounds(form, ball)
    bounder = NodeBounder(form, bounds, case.condition)
    nodes = bounder.root(bounds)
    parts, level = [nodes], nodes
    for _ in range(2):
        if not level.unstable.all(axis=0).any():
            break
        neuron = np.full(len(level), rng.choice(np.flatnonzero(level.unstable.all(axis=0))))
        level = Nodes.stack([level.split(neuron, 1), level.split(neuron, -1)])
        parts.append(level)
    return bounder, TriangleProgram(form, ball, case.condition), Nodes.stack(parts)
