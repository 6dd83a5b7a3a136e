"""The change within a norm ball that meets goals best: Frank-Wolfe steps on the least lead.

Proves nothing; what it proposes is verified. Where no ReLU follows the layer the least lead is a
concave function of the change, and steps to the best corner of the ball approach its maximum.
Source: Jaggi, "Revisiting Frank-Wolfe: Projection-Free Sparse Convex Optimization", algorithm 1.

Letters: :mod:`marapatch.patching.formulation`; a change, a slope and a corner are (N,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marapatch.network.layers import Array, Matrix
from marapatch.patching.formulation import PatchProblem

FRANK_WOLFE_STEPS = 40
"""Steps at most; each tries the lengths below and takes the best."""

LENGTHS = 0.5 ** np.arange(14.0)


@dataclass(frozen=True, eq=False)
class Leads:
    """The least lead of a problem's goals as a function of a change of its layer.

    ``matrices``: by input, how the layer's outputs move with the change: (outputs of the layer,
    numbers) each.
    """

    problem: PatchProblem
    matrices: tuple[Matrix, ...]

    @staticmethod
    def of(problem: PatchProblem) -> Leads:
        """For the inputs and goals of ``problem``."""
        values = problem.sources.values
        return Leads(problem, tuple(problem.weights.matrix(entering) for entering in values))

    def at(self, change: Array) -> tuple[float, Array]:
        """The least lead at ``change`` (numbers,), and its derivative there."""
        z = self.problem.sources.before + np.array([matrix @ change for matrix in self.matrices])
        rest, goals = self.problem.tail, self.problem.verifier.goals
        hidden, outputs = rest.pre_activations(z)
        leads = [goal.lead(y) for goal, y in zip(goals, outputs, strict=True)]
        # Where each lead is concave so is the least of them, and the derivative of one that attains
        # it is a supergradient: that is all that Frank-Wolfe needs.
        i = int(np.argmin([value for value, _ in leads]))
        value, direction = leads[i]
        pattern = [layer[i : i + 1] > 0.0 for layer in hidden]
        slope = rest.pullback(pattern, direction[None])[0]
        return value, np.asarray(self.matrices[i].T @ slope)

    def corner(self, slope: Array, radius: float) -> Array:
        """The change within ``radius`` and the limits that gains most along ``slope``."""
        weights = self.problem.weights
        down = np.where(weights.free, -weights.lower, 0.0)
        up = np.where(weights.free, weights.upper, 0.0)
        return self.problem.verifier.norm.steepest(slope, np.asarray(radius), (down, up))

    def ascend(self, change: Array, radius: float) -> Array:
        """A change within ``radius`` that leads by more than ``change``, where one is found."""
        best, slope = self.at(change)
        for _ in range(FRANK_WOLFE_STEPS):
            way = self.corner(slope, radius) - change
            # Between two points of the ball within the limits lie only such points: with lengths up
            # to 1 no projection is needed.
            tried = [(self.at(change + length * way), length) for length in LENGTHS]
            (value, following), length = max(tried, key=lambda trial: trial[0][0])
            # At a maximum no length leads higher. Nor may it behind ReLUs, where the lead is not
            # concave and a slope promises too much; both end here, since nothing rests on which it
            # was.
            if not value > best:
                break
            best, slope, change = value, following, change + length * way
        return change
