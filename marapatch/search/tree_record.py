"""The record of a tree: its splits and, of every node, the multipliers that bound it.

What another program needs to check a lower end for itself (:mod:`marapatch.certificates.recheck`):
how the space was divided, and for every part the numbers by which weak duality refutes it. The
bounds of the neurons are not recorded: whoever checks works them out anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from marapatch.bounds.nodes import Nodes

Numbers = NDArray[np.int64]
Single = NDArray[np.float32]
Multipliers = tuple[Single, Single, Single]
"""Alpha, beta and row multipliers of one node."""

Split = tuple[int, int, int]
"""Of a node: its parent, the neuron and the phase."""


@dataclass(frozen=True, eq=False)
class TreeRecord:
    """One finished or unfinished tree over ReLU phases.

    It claims that no input within ``radius`` meets the condition. Neurons are numbered through all
    ReLU layers. ``parent`` (nodes,): -1 for the root, else a smaller number; ``neuron``, ``phase``
    (nodes,): the split by which the node differs from its parent (phase +1: active, -1: inactive,
    0: the root). ``alpha``, ``beta`` (nodes, neurons), ``row_multipliers`` (nodes, rows of the
    condition): multipliers, float32, because any will do; ``alpha`` is 1 or 0 where the phase was
    known. ``solver_certified`` (nodes,): leaves that only a solver closed. ``rounds``: alpha, beta
    and row multipliers by which the root's bounds were tightened, one after the other, before it
    was split.
    """

    radius: float
    parent: Numbers
    neuron: Numbers
    phase: NDArray[np.int8]
    alpha: Single
    beta: Single
    row_multipliers: Single
    solver_certified: NDArray[np.bool_]
    rounds: tuple[Multipliers, ...] = ()

    def __len__(self) -> int:
        return int(self.parent.size)


class Observer:
    """Is told what a tree does, and gives nodes their names; this one keeps nothing."""

    def round(self, root: Nodes) -> None:
        """The root's bounds are about to be tightened by the cut of these multipliers."""

    def add_root(self, root: Nodes) -> int:
        """The root; returns its name."""
        return 0

    def add(self, children: Nodes, parents: Sequence[int], neuron: Numbers) -> list[int]:
        """Children, and what bounds them so far; returns their names.

        ``parents``: names; parent i was split at ``neuron[i]``, and has child i, where that is
        active, and child ``len(parents) + i``, where it is inactive.
        """
        return [0] * len(children)

    def improve(self, name: int, nodes: Nodes, index: int = 0) -> None:
        """Better multipliers for a node: those of ``nodes`` at ``index``."""

    def certify_by_solver(self, name: int) -> None:
        """A solver closed the node."""


NOBODY = Observer()


@dataclass
class Recorder(Observer):
    """Makes a :class:`TreeRecord`; nodes are named by their numbers in it."""

    rounds: list[Multipliers] = field(default_factory=list)
    nodes: list[tuple[Split, Multipliers]] = field(default_factory=list)
    solver_certified: set[int] = field(default_factory=set)

    @staticmethod
    def of_root(root: Nodes) -> Recorder:
        """Of a tree that is its root alone."""
        recorder = Recorder()
        recorder.add_root(root)
        return recorder

    def round(self, root: Nodes) -> None:
        """The root's bounds are about to be tightened by the cut of these multipliers."""
        self.rounds.append(_of(root, 0))

    def add_root(self, root: Nodes) -> int:
        """The root; returns its number."""
        self.nodes.append(((-1, 0, 0), _of(root, 0)))
        return len(self.nodes) - 1

    def add(self, children: Nodes, parents: Sequence[int], neuron: Numbers) -> list[int]:
        """Children, and what bounds them so far; returns their names.

        Both children of every node split are taken at once, so that an interrupt leaves no node
        with one child.
        """
        # Names are numbers in order of making, so that a parent's is smaller than its children's:
        # who checks the record walks it once, and refuses any other order.
        first = len(self.nodes)
        # The batch has all active children first, then the inactive ones in the same order.
        phases = np.repeat([1, -1], len(parents)).tolist()
        splits = zip((*parents, *parents), np.tile(neuron, 2).tolist(), phases, strict=True)
        self.nodes += [(split, _of(children, i)) for i, split in enumerate(splits)]
        return list(range(first, len(self.nodes)))

    def improve(self, name: int, nodes: Nodes, index: int = 0) -> None:
        """Better multipliers for a node."""
        # The split stays: it says which inputs the node has. Multipliers only refute them.
        self.nodes[name] = (self.nodes[name][0], _of(nodes, index))

    def certify_by_solver(self, name: int) -> None:
        """A solver closed the node."""
        self.solver_certified.add(name)

    def finish(self, radius: float) -> TreeRecord:
        """The record so far, of a tree that refutes ``radius``."""
        splits = np.array([split for split, _ in self.nodes], dtype=np.int64).reshape(-1, 3)
        multipliers = (numbers for _, numbers in self.nodes)
        alpha, beta, row_multipliers = (np.array(part) for part in zip(*multipliers, strict=True))
        solver_certified = np.zeros(len(self.nodes), dtype=np.bool_)
        solver_certified[list(self.solver_certified)] = True
        return TreeRecord(
            radius,
            splits[:, 0],
            splits[:, 1],
            splits[:, 2].astype(np.int8),
            alpha,
            beta,
            row_multipliers,
            solver_certified,
            tuple(self.rounds),
        )


def _of(nodes: Nodes, index: int) -> Multipliers:
    lower, upper = nodes.lower[index], nodes.upper[index]
    # Where the phase is known the search takes the ReLU's own piece, whatever alpha is, and a check
    # takes the alpha that is written: so the slope of the piece is.
    slope = np.where(lower >= 0.0, 1.0, np.where(upper <= 0.0, 0.0, nodes.alpha[index]))
    # In single precision alpha stays in [0, 1] and no sign changes: multipliers as valid as those
    # of the search, whose bound may differ from theirs in the last digits.
    return (
        slope.astype(np.float32),
        nodes.beta[index].astype(np.float32),
        nodes.row_multipliers[index].astype(np.float32),
    )
