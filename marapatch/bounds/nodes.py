"""Sub-problems in batches, and what a pass over them proved.

Shapes: B nodes, N neurons of all ReLU layers one after the other, R rows of the condition, I
inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from marapatch.network.layers import Array

Phases = NDArray[np.int8]
"""+1 where a neuron is fixed active, -1 where inactive, 0 where free."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """A batch of sub-problems; arrays have the node as first axis, layers are concatenated.

    ``lower``, ``upper``: bounds of the pre-activations of all ReLU layers (nodes, neurons);
    ``phases`` (nodes, neurons); ``alpha``, ``beta`` (nodes, neurons); ``row_multipliers`` (nodes,
    rows of the condition), a convex combination, or zero where the phases alone are refuted.
    ``cut`` (nodes, inputs), ``offset`` (nodes,): every input of the node that meets the condition
    has ``cut . x + offset <= 0``: the linear form that a bound of the node, or of one above it,
    proved.
    """

    lower: Array
    upper: Array
    phases: Phases
    alpha: Array
    beta: Array
    row_multipliers: Array
    cut: Array
    offset: Array

    def __len__(self) -> int:
        return int(self.lower.shape[0])

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Nodes:
        """The nodes at ``index``."""
        return Nodes(*(getattr(self, field.name)[index] for field in fields(Nodes)))

    @staticmethod
    def stack(parts: Sequence[Nodes]) -> Nodes:
        """All nodes of ``parts`` in one batch."""
        names = (field.name for field in fields(Nodes))
        return Nodes(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))

    @property
    def unstable(self) -> NDArray[np.bool_]:
        """Which neurons can still be on either side of 0: (nodes, neurons)."""
        return (self.lower < 0.0) & (self.upper > 0.0)

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Nodes whose bounds contradict each other: no input has these phases."""
        # Both ends are proved, so they cross only where no value is left. Equal ends leave one.
        return np.asarray((self.lower > self.upper).any(axis=1))

    def split(self, neuron: NDArray[np.int64], phase: int) -> Nodes:
        """Each node with its ``neuron`` fixed to ``phase`` (+1 or -1)."""
        rows = np.arange(len(self))
        # Copies, since the other child is made from the same arrays.
        lower, upper, phases = self.lower.copy(), self.upper.copy(), self.phases.copy()
        # 0 belongs to both phases, so that the two children together have every input of the node.
        if phase > 0:
            lower[rows, neuron] = np.maximum(lower[rows, neuron], 0.0)
        else:
            upper[rows, neuron] = np.minimum(upper[rows, neuron], 0.0)
        phases[rows, neuron] = phase
        # The cut stays: what it says of every witness of the node it says of those in a part.
        return replace(self, lower=lower, upper=upper, phases=phases)


@dataclass(frozen=True, eq=False)
class Bounded:
    """What a pass over nodes proved: by node, ``value`` > 0 means refuted over the whole ball,
    ``radius`` how far refuted at least, and ``score`` (nodes, neurons) what each neuron's
    relaxation costs the bound; ``point`` (nodes, inputs) the minimiser."""

    nodes: Nodes
    value: Array
    radius: Array
    score: Array
    point: Array

    def take(self, index: NDArray[np.int64]) -> Bounded:
        """What was proved of the nodes at ``index``."""
        return Bounded(
            self.nodes.take(index),
            *(getattr(self, f.name)[index] for f in fields(Bounded) if f.name != "nodes"),
        )

    @staticmethod
    def stack(parts: Sequence[Bounded]) -> Bounded:
        """All of ``parts`` in one."""
        names = [f.name for f in fields(Bounded) if f.name != "nodes"]
        arrays = (np.concatenate([getattr(p, n) for p in parts]) for n in names)
        return Bounded(Nodes.stack([p.nodes for p in parts]), *arrays)
