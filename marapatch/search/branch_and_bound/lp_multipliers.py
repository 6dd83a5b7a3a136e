"""Where linear programs bound the nodes of a tree better than supergradient steps do.

Shapes: B nodes, N neurons of all ReLU layers one after the other, I inputs; ``bases`` has B.
"""

from __future__ import annotations

from functools import cached_property
from time import monotonic
from typing import Any

import numpy as np

from marapatch.bounds.displacement import displacement
from marapatch.bounds.nodes import Bounded, Nodes
from marapatch.bounds.subproblems import NodeBounder
from marapatch.bounds.triangle import TriangleMultipliers, TriangleProgram

FEW_UNSTABLE = 6
"""Unstable neurons up to which any node gets a linear program."""

NEAR_TARGET = 0.9
"""The share of the radius to refute beyond which any node of an L1 question gets one: the optimum
lies where many phases meet, and all of them come so near."""


class LpMultipliers:
    """One linear program kept warm for all nodes of a tree, made when it is first needed."""

    def __init__(self, bounder: NodeBounder) -> None:
        self.bounder = bounder
        self.linear = displacement(bounder.ball).linear

    @cached_property
    def _triangle(self) -> TriangleProgram:
        return TriangleProgram(self.bounder.form, self.bounder.ball, self.bounder.condition)

    def better(
        self, result: Bounded, bases: list[Any], deadline: float
    ) -> tuple[Bounded, list[Any]]:
        """``result`` with multipliers of linear programs for the nodes that are not refuted.

        Where nearly all phases are fixed and, for L1, at the root and where little is missing:
        elsewhere supergradient steps bring as much in less time.

        ``bases``: where to start, by node; those of the programs solved are returned.
        """
        wanted = result.nodes.unstable.sum(axis=1) <= FEW_UNSTABLE
        if self.linear:
            wanted |= (result.nodes.phases == 0).all(axis=1)
            wanted |= result.radius > NEAR_TARGET * self.bounder.ball.radius
        # A node that is refuted over the whole ball needs nothing better.
        wanted &= result.value <= 0.0
        found: dict[int, TriangleMultipliers] = {}
        for i in np.flatnonzero(wanted).tolist() if self.bounder.form.hidden else ():
            seconds = deadline - monotonic()
            if seconds > 0.0:
                ball = self.bounder.ball
                proposal = self._triangle.multipliers(result.nodes, i, ball, seconds, bases[i])
                if proposal is not None:
                    found[i] = proposal
        bases = [found[i].basis if i in found else basis for i, basis in enumerate(bases)]
        if not found:
            return result, bases
        # Without a step: the bound of these very multipliers, rounded outward. The value that the
        # program itself reports proves nothing.
        better = self.bounder.bound(Nodes.stack([p.nodes for p in found.values()]), 0)
        pick = np.arange(len(result.nodes))
        for position, (i, proposal) in enumerate(found.items()):
            if proposal.point is not None:
                better.point[position] = proposal.point
            # A program without a solution knows of the phases only: there is no better cut.
            if proposal.point is not None or better.value[position] > 0.0:
                pick[i] = pick.size + position
        return Bounded.stack([result, better]).take(pick), bases
