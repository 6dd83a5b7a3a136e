"""A tree and its parts: open nodes dealt out to other processes, and taken in again."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from marapatch.bounds.subproblems import NodeBounder
from marapatch.problem.verdict import Evidence, Sat
from marapatch.search.branch_and_bound.lp_multipliers import Proposer
from marapatch.search.branch_and_bound.workers import Grown, Helpers, Part

if TYPE_CHECKING:
    from marapatch.search.branch_and_bound.relu_tree import PhaseTree

ENOUGH = 8
"""Open nodes a helper from which on a tree is divided."""

SHARED_SECONDS = 3.0
"""How long each then works on its part, before all parts are dealt out anew."""

SHARED_NODES = 1024
"""And how many nodes each then bounds, where these are limited."""


def enough(count: int, helpers: Helpers) -> bool:
    """Whether so many open nodes are worth dealing out."""
    return count >= ENOUGH * helpers.jobs


def share(tree: PhaseTree, helpers: Helpers, grow: Callable[[Part], Grown]) -> None:
    """Let each helper work on a part of what is open for a while, and take in what came of it."""
    dealt = tree.front.nodes()
    until, most = min(tree.deadline, monotonic() + SHARED_SECONDS), inf
    if tree.options.counted:
        until, most = tree.deadline, min(SHARED_NODES, (tree.last - tree.bounded) / helpers.jobs)
    common = tree.question, tree.bounds, tree.backend.name, tree.options, tree.bracket
    tasks = [
        Part(*common, tree.target, dealt[i :: helpers.jobs], until, most)
        for i in range(helpers.jobs)
    ]
    results = helpers.grow(grow, tasks)
    for grown in results:
        tree.front.stuck += grown.stuck
        tree.bounded += grown.bounded
        tree.records += grown.records
        tree.evidence = Evidence.weakest(tree.evidence, grown.evidence)
        if grown.witness is not None and grown.witness.distance < tree.bracket.upper:
            tree.aim(tree.bracket.tighten(Sat(grown.witness)))
    if tree.target > 0.0:
        tree.bounder.shrink(tree.target)
    tree.front.renew((node for grown in results for node in grown.open), tree.target)


def resume(tree: PhaseTree, part: Part) -> Grown:
    """Work on the open nodes of another tree of the same question."""
    tree.planted, tree.bounds = True, part.bounds
    tree.bounder = NodeBounder(tree.question.form, part.bounds, tree.question.condition)
    if part.target > 0.0:
        tree.bounder.shrink(part.target)
    tree.proposer = Proposer(tree.bounder)
    tree.target = part.target
    tree.front.renew(part.open, part.target)
    tree.advance(part.until, part.most)
    nearer = tree.bracket.upper < part.bracket.upper
    return Grown(
        open=tree.front.nodes(),
        stuck=tuple(tree.front.stuck),
        bounded=tree.bounded,
        records=tuple(record for record in tree.records if record.backend != "tree"),
        evidence=tree.evidence,
        witness=tree.bracket.witness if nearer else None,
    )
