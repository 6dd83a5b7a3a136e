"""The root of a tree over ReLU phases: bounds, tightened by the cut that they prove themselves."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Any

from marapatch.bounds.bounds import Bounds
from marapatch.bounds.crown import cached_bounds
from marapatch.bounds.nodes import Bounded, Nodes
from marapatch.bounds.subproblems import NodeBounder
from marapatch.problem.question import Question
from marapatch.query.lowering import SHRINKAGE
from marapatch.search.branch_and_bound.lp_multipliers import LpMultipliers
from marapatch.search.branch_and_bound.root_radius import bisect_radius
from marapatch.search.tree_record import Observer

ROOT_STEPS = 60
"""Supergradient steps."""

ROOT_ROUNDS = 3
"""How often the bounds are tightened by the cut that the last bound proved."""


@dataclass(frozen=True, eq=False)
class RootState:
    """What all nodes of a tree share: the bounds of the root, and what bounds nodes within it."""

    bounds: Bounds
    bounder: NodeBounder
    lp_multipliers: LpMultipliers

    @staticmethod
    def of(question: Question, bounds: Bounds) -> RootState:
        """For the nodes of ``question`` within the ball of ``bounds``."""
        bounder = NodeBounder(question.form, bounds, question.condition)
        return RootState(bounds, bounder, LpMultipliers(bounder))

    def narrow(self, target: float) -> None:
        """From now on nodes are to be refuted up to ``target`` only."""
        if target > 0.0:
            self.bounder.shrink(asked_radius(target))


@dataclass(frozen=True, eq=False)
class BoundedRoot:
    """The root as a node: ``result``, with ``bases`` for its linear programs.

    ``floor``: the radius that is proved before any split; ``floor_proof``: the node whose
    multipliers prove it, where it was not known before. ``bounded``: sub-problems so far.
    """

    state: RootState
    result: Bounded
    bases: list[Any]
    floor: float
    floor_proof: Nodes | None
    bounded: int


def asked_radius(target: float) -> float:
    """The radius within which nodes are bounded so as to be refuted up to ``target``: a little
    farther, for what a solver refutes counts for a little less."""
    return target * (1.0 + 2.0 * SHRINKAGE)


def bound_root(
    question: Question,
    floor: float,
    target: float,
    tolerance: float,
    deadline: float,
    most: float,
    observer: Observer,
) -> BoundedRoot:
    """Bound the root at ``target``; where that does not refute it, find by bisection between
    ``floor`` (known) and ``target`` what bounds alone refute.

    ``deadline``: of the monotonic clock; ``most``: sub-problems at about which to stop.
    """
    bounded = 1

    def over() -> bool:
        return monotonic() >= deadline or bounded >= most

    ball = question.ball.with_radius(asked_radius(target))
    state = RootState.of(question, cached_bounds(question.form, ball, deadline))
    bounder, lp_multipliers = state.bounder, state.lp_multipliers
    result = bounder.bound(bounder.root(state.bounds), ROOT_STEPS, deadline)
    for _ in range(ROOT_ROUNDS):
        if result.value[0] > 0.0 or over():
            break
        bounded += 1
        # The form that the root proved below 0 somewhere cuts the ball: every witness lies on its
        # one side, so the neurons need bounds there only. Tighter bounds give a better form, and so
        # on.
        cutting = lp_multipliers.better(result, [None], deadline)[0].nodes
        # Who checks the record has to cut by the same forms in the same order, so it gets the
        # multipliers that the next line cuts with, and not better ones.
        observer.round(cutting)
        tighter = bounder.tighten(cutting, until=deadline)
        result = bounder.bound(tighter, ROOT_STEPS, deadline)
    result, bases = lp_multipliers.better(result, [None], deadline)
    floor_proof = None
    # In a smaller ball fewer neurons are unstable: its own bounds may prove a radius that those
    # over this ball do not reach.
    if result.value[0] <= 0.0 and not over():
        floor, floor_proof, count = bisect_radius(
            question, floor, target, tolerance, deadline, most - bounded
        )
        bounded += count
    return BoundedRoot(state, result, bases, floor, floor_proof, bounded)
