"""The change within a norm ball that meets goals best: Frank-Wolfe steps on the least lead.

Proves nothing; what it proposes is judged. Where no ReLU follows the layer the least lead is a
concave function of the change, and steps to the best corner of the ball approach its maximum.
Source: Jaggi, "Revisiting Frank-Wolfe: Projection-Free Sparse Convex Optimization", algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.cut import tail
from marapatch.network.graph import Network
from marapatch.network.layers import Array, Matrix
from marapatch.patching.changes import Changes, sources
from marapatch.patching.goals import Goal
from marapatch.problem.norm import Norm

STEPS = 40
"""Steps at most; each tries the lengths below and takes the best."""

LENGTHS = 0.5 ** np.arange(14.0)


@dataclass(frozen=True, eq=False)
class Leads:
    """The least lead of ``goals`` as a function of a change of one layer.

    ``matrices``: by input, how the layer's outputs move with the change; ``before``: (n, outputs
    of the layer), where they are without. ``rest``: the network behind the layer.
    """

    changes: Changes
    goals: tuple[Goal, ...]
    norm: Norm
    matrices: tuple[Matrix, ...]
    before: Array
    rest: StandardForm

    @staticmethod
    def of(
        network: Network,
        changes: Changes,
        inputs: NDArray[np.floating],
        goals: tuple[Goal, ...],
        norm: Norm,
    ) -> Leads:
        """For the inputs (n, network inputs) of a patch."""
        entering = sources(network, changes.layer, inputs.astype(np.float64))
        matrices = tuple(changes.matrix(values) for values in entering.values)
        rest = tail(network, changes.layer.number)
        return Leads(changes, goals, norm, matrices, entering.before, rest)

    def at(self, change: Array) -> tuple[float, Array]:
        """The least lead at ``change`` (numbers,), and its derivative there."""
        z = self.before + np.array([matrix @ change for matrix in self.matrices])
        hidden, outputs = self.rest.pre_activations(z)
        leads = [goal.lead(y) for goal, y in zip(self.goals, outputs, strict=True)]
        i = int(np.argmin([value for value, _ in leads]))
        value, direction = leads[i]
        pattern = [layer[i : i + 1] > 0.0 for layer in hidden]
        slope = self.rest.pullback(pattern, direction[None])[0]
        return value, np.asarray(self.matrices[i].T @ slope)

    def corner(self, slope: Array, radius: float) -> Array:
        """The change within ``radius`` and the limits that gains most along ``slope``."""
        room = np.where(slope > 0.0, self.changes.upper, -self.changes.lower)
        room = np.where(self.changes.free, np.minimum(room, radius), 0.0)
        if self.norm is Norm.L1:
            order = np.argsort(-np.abs(slope) * (room > 0.0))
            spent = np.cumsum(room[order]) - room[order]
            room[order] = np.clip(radius - spent, 0.0, room[order])
        return np.asarray(np.sign(slope) * room)

    def ascend(self, change: Array, radius: float) -> Array:
        """A change within ``radius`` that leads by more than ``change``, where one is found."""
        best, slope = self.at(change)
        for _ in range(STEPS):
            way = self.corner(slope, radius) - change
            tried = [(self.at(change + length * way), length) for length in LENGTHS]
            (value, following), length = max(tried, key=lambda trial: trial[0][0])
            if not value > best:
                break
            best, slope, change = value, following, change + length * way
        return change
