"""The open nodes of a tree, and the order in which they are split. (ARCHITECTURE: 6.5.)

Shapes: an open node is a batch of B = 1; N neurons of all ReLU layers, ``score`` (1, N).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from itertools import count
from typing import Any

from marapatch.bounds.nodes import Nodes
from marapatch.network.layers import Array

QUEUE_BYTES = 2 << 30
"""Bytes of open nodes beyond which the search goes depth-first."""

OVERHEAD = 4000
"""Bytes of an open node beside its arrays: its objects and the basis."""


@dataclass(order=True, frozen=True)
class OpenNode:
    """An open node of a tree, ordered by the radius up to which it is refuted.

    ``number``: in the order of their making. ``nodes``, ``score``: the node itself and what each
    neuron's relaxation costs it. ``basis``: where its linear programs start; it does not travel.
    ``name``: its number in the record of the tree.
    """

    radius: float
    number: int
    nodes: Nodes = field(compare=False)
    score: Array = field(compare=False)
    basis: Any = field(compare=False)
    name: int = field(compare=False)

    @property
    def nbytes(self) -> int:
        """About the memory it takes."""
        arrays = sum(int(getattr(self.nodes, each.name).nbytes) for each in fields(Nodes))
        return arrays + self.score.nbytes + OVERHEAD


class OpenNodes:
    """What is open: nodes to split, and ``unresolved``, the radii of leaves that nothing could
    decide. ``most``: the largest number of nodes that ever were open.

    The node refuted least comes first, so that the least radius rises from the start; beyond
    ``memory`` bytes the node refuted most, which is the deepest, as a rule.
    """

    def __init__(self, memory: int = QUEUE_BYTES) -> None:
        self.memory = memory
        self.unresolved: list[float] = []
        self.most = 0
        self._heap: list[OpenNode] = []
        self._count = count()

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, radius: float, nodes: Nodes, score: Array, basis: Any, name: int) -> None:
        """Open a node; arguments as the fields of :class:`OpenNode`."""
        heapq.heappush(self._heap, OpenNode(radius, next(self._count), nodes, score, basis, name))
        self.most = max(self.most, len(self._heap))

    def choose(self, most: int, target: float) -> list[OpenNode]:
        """Take out the next nodes to split, at most ``most``; those refuted at ``target`` are
        dropped on the way."""
        # Nodes of one tree have arrays of the same shapes: any one tells the size of all.
        if self._heap and len(self._heap) * self._heap[0].nbytes > self.memory:
            self._heap.sort()  # a sorted list is a heap, and its end is what is refuted most
            chosen, self._heap = self._heap[-most:], self._heap[:-most]
            return [node for node in chosen if node.radius < target]
        chosen = []
        while self._heap and len(chosen) < most:
            # A nearer witness asks for less: what is open may be refuted that far already.
            node = heapq.heappop(self._heap)
            if node.radius < target:
                chosen.append(node)
        return chosen

    def least(self, target: float) -> float:
        """The radius up to which everything is refuted; ``target`` where nothing is open."""
        # A heap begins with its least. A leaf that nobody could decide keeps its radius for good,
        # so that the lower end never passes it.
        return min([target, *self.unresolved, *(node.radius for node in self._heap[:1])])

    def nodes(self) -> tuple[OpenNode, ...]:
        """All open nodes in order, without what does not travel to another process."""
        return tuple(replace(node, basis=None) for node in sorted(self._heap))

    def renew(self, nodes: Iterable[OpenNode], target: float) -> None:
        """Let ``nodes`` that are not refuted at ``target`` be the open ones, numbered in order."""
        self._heap = [
            replace(node, number=next(self._count))
            for node in sorted(nodes)
            if node.radius < target
        ]
        self.most = max(self.most, len(self._heap))
