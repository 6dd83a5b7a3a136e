"""Nodes of the tree whose phases are all fixed: a linear program, and a solver where it fails.

Shapes: a leaf is a batch of B = 1; N neurons of all ReLU layers, R rows of the condition, I inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from marapatch.bounds.bounds import Bounds
from marapatch.bounds.nodes import Nodes
from marapatch.bounds.subproblems import NodeBounder
from marapatch.problem.question import Question
from marapatch.problem.verdict import Replayed
from marapatch.query.lowering import SHRINKAGE, Lowered, lower
from marapatch.search.branch_and_bound.root import RootState
from marapatch.search.budget import LEAF_SECONDS
from marapatch.search.options import LONGEST_QUERY, SearchOptions
from marapatch.solvers.base import Backend, Infeasible
from marapatch.solvers.trust import supported_radius
from marapatch.witnesses.linear_region import (
    Nearest,
    Pattern,
    Region,
    Slack,
    SlackProgram,
    fits,
    nearest_in_region,
    region,
)
from marapatch.witnesses.polish import confirm

LEAF_ROUNDS = 5
"""How often a feasible leaf may give a nearer witness before it counts as unresolved."""


def pattern(bounder: NodeBounder, node: Nodes) -> Pattern:
    """The activation pattern of a node without unstable neurons."""
    # No neuron is unstable here, so that a lower end below 0 says inactive.
    return tuple(node.lower[0, span] >= 0.0 for span in bounder.spans)


def refuted(bounder: NodeBounder, node: Nodes, here: Region, found: Slack) -> tuple[float, Nodes]:
    """The radius that the dual values of a linear program prove, by our own rounded bound, and the
    node with those dual values as multipliers."""
    # The program's rows are divided by their scales: as they stand, they have these multipliers.
    dual_value = found.dual_value / here.scales
    beta, row_multipliers = np.zeros(node.beta.shape), np.zeros(node.row_multipliers.shape)
    phases = node.phases.copy()
    for (layer, i), amount in zip(here.neuron, dual_value, strict=True):
        if layer < 0:
            row_multipliers[0, i] = amount
            continue
        at = bounder.spans[layer].start + i
        # A phase that bounds have proved may have a multiplier just as one by a split: sign * z >=
        # 0 at every input of the node that meets the condition.
        beta[0, at] = amount
        phases[0, at] = 1 if node.lower[0, at] >= 0.0 else -1
    # A factor above 0 changes no sign, and so no proof: the row multipliers become the convex
    # combination that nodes have. Without any, the phases alone are refuted.
    total = row_multipliers.sum() or beta.sum()
    if not total > 0.0:
        return 0.0, node
    multiplied = replace(
        node, phases=phases, beta=beta / total, row_multipliers=row_multipliers / total
    )
    weights, constant, _, _ = bounder.evaluate(multiplied)
    return float(bounder.concretiser.radius_of(weights, constant)[0]), multiplied


@dataclass(frozen=True, eq=False)
class LeafProof:
    """The ``radius`` up to which the ``multipliers`` refute a leaf."""

    radius: float
    multipliers: Nodes


def leaf_programs(
    question: Question,
    root: RootState,
    node: Nodes,
    radius: Callable[[], float],
    deadline: float,
) -> Iterator[LeafProof | Replayed]:
    """What linear programs over the region of a leaf prove, and the witnesses that they lead to.

    ``radius``: where the leaf has to be refuted, asked anew after every witness that was taken.
    """
    if not fits(question.form):
        return
    here = region(question, pattern(root.bounder, node), root.bounds)
    program = SlackProgram(question, here, deadline)
    for _ in range(LEAF_ROUNDS):
        within = radius()
        found = program.at(within) if within > 0.0 else None
        if found is None:
            return
        # Whatever the slack: dual values found at one radius may prove another, and only the bound
        # that they give says which.
        yield LeafProof(*refuted(root.bounder, node, here, found))
        if found.slack < 0.0:
            return
        nearest = nearest_in_region(question, here, within, deadline)
        if nearest is None:
            nearest = Nearest(within, found.change, found.dual_value)
        witness = confirm(question, here, nearest, deadline)
        if witness is None:
            return
        yield witness


@dataclass(frozen=True, eq=False)
class LeafAnswer:
    """A leaf as a query: ``refuted`` where the backend's answer supports the radius asked for."""

    lowered: Lowered
    refuted: bool


def ask_backend(
    question: Question,
    root: RootState,
    node: Nodes,
    target: float,
    backend: Backend,
    options: SearchOptions,
    seconds: float,
) -> LeafAnswer:
    """Ask ``backend`` whether the leaf has an input within ``target``."""
    bounds, bounder = root.bounds, root.bounder
    # The node's bounds hold within the bounder's ball, which narrows with the target; it reaches a
    # little farther than the target, so that a little more is asked than is claimed.
    ball = question.ball.with_radius(min(target / (1.0 - SHRINKAGE), bounder.ball.radius))
    split = Bounds(
        bounder.ball,
        tuple(node.lower[0, s] for s in bounder.spans),
        tuple(node.upper[0, s] for s in bounder.spans),
        bounds.output,
    )
    # Rows prescribe what was split; the bounds, which rely on these phases, do the rest.
    phases = tuple(node.phases[0, s] for s in bounder.spans)
    lowered = lower(question.form, split, ball, question.condition, options.l1_form, phases)
    # A counted search may not end by the clock.
    seconds = max(min(seconds, LONGEST_QUERY if options.counted else LEAF_SECONDS), 1e-3)
    holds = isinstance(backend.solve(lowered.query, seconds), Infeasible)
    if holds:
        query = lowered.query
        holds = supported_radius(ball.radius, backend, query, seconds, confirm=True) >= target
    return LeafAnswer(lowered, holds)
