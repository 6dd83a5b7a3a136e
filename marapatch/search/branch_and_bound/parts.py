"""A tree and its parts: open nodes dealt out to other processes, and taken in again."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Protocol

from marapatch.problem.bracket import Bracket
from marapatch.problem.question import Question
from marapatch.problem.verdict import Evidence, Sat
from marapatch.search.branch_and_bound.open_nodes import OpenNodes
from marapatch.search.branch_and_bound.root import RootState
from marapatch.search.branch_and_bound.workers import ExpandedPart, Part, Workers
from marapatch.search.budget import WORKER_SECONDS
from marapatch.search.options import QueryRecord, SearchOptions
from marapatch.solvers.base import Backend

ENOUGH = 8
"""Open nodes a worker from which on a tree is divided."""

SHARED_NODES = 1024
"""How many nodes each then bounds, where these are limited."""


class Divisible(Protocol):
    """What a tree shows of itself to be worked on in parts; ``whole``: whether what is open is all
    that is open of the question."""

    question: Question
    backend: Backend
    options: SearchOptions
    bracket: Bracket
    target: float
    whole: bool
    deadline: float
    last: float
    bounded: int
    root: RootState | None
    queries: list[QueryRecord]
    evidence: Evidence
    open_nodes: OpenNodes

    @property
    def root_state(self) -> RootState:
        """What all nodes share."""

    def aim(self, bracket: Bracket) -> None:
        """Take ``bracket``, which has a nearer witness."""

    def advance(self, until: float, nodes: float) -> None:
        """Expand the tree until a time or about so many more nodes."""


def enough(count: int, workers: Workers) -> bool:
    """Whether so many open nodes are worth dealing out."""
    return count >= ENOUGH * workers.jobs


def share(tree: Divisible, workers: Workers, expand: Callable[[Part], ExpandedPart]) -> None:
    """Let each worker work on a part of what is open for a while, and take in what came of it."""
    dealt = tree.open_nodes.nodes()
    until, most = min(tree.deadline, monotonic() + WORKER_SECONDS), inf
    if tree.options.counted:
        until, most = tree.deadline, min(SHARED_NODES, (tree.last - tree.bounded) / workers.jobs)
    common = tree.question, tree.root_state.bounds, tree.backend.name, tree.options, tree.bracket
    tasks = [
        # In the order of their radii, one to each worker in turn: all of them get some of those
        # that hold the lower end back.
        Part(*common, tree.target, dealt[i :: workers.jobs], until, most)
        for i in range(workers.jobs)
    ]
    results = workers.expand(expand, tasks)
    for expanded in results:
        tree.open_nodes.unresolved += expanded.unresolved
        tree.bounded += expanded.bounded
        tree.queries += expanded.queries
        # The lower end is about all parts, so it rests on the weakest evidence among them.
        tree.evidence = Evidence.weakest(tree.evidence, expanded.evidence)
        if expanded.witness is not None and expanded.witness.distance < tree.bracket.upper:
            tree.aim(tree.bracket.tighten(Sat(expanded.witness)))
    tree.open_nodes.renew((node for expanded in results for node in expanded.open), tree.target)


def resume(tree: Divisible, part: Part) -> ExpandedPart:
    """Work on the open nodes of another tree of the same question."""
    tree.root, tree.whole = RootState.of(tree.question, part.bounds), False
    tree.root.narrow(part.target)
    tree.target = part.target
    tree.open_nodes.renew(part.open, part.target)
    tree.advance(part.until, part.most)
    nearer = tree.bracket.upper < part.bracket.upper
    return ExpandedPart(
        open=tree.open_nodes.nodes(),
        unresolved=tuple(tree.open_nodes.unresolved),
        bounded=tree.bounded,
        # Growing a part is no query of the whole tree, but what a backend was asked on the way is.
        queries=tuple(record for record in tree.queries if record.backend != "tree"),
        evidence=tree.evidence,
        witness=tree.bracket.witness if nearer else None,
    )
