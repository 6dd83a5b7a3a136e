"""Supergradient steps on the multipliers of nodes.

Shapes: B nodes, N neurons, R rows of the condition. What the relaxed network does at the minimiser
of a node's linear form is a supergradient of the node's bound, layer by layer: Wang et al.,
"Beta-CROWN", section 3.3. Nothing here is proved: every choice of multipliers gives a bound.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from marapatch.bounds.backward import InputForm
from marapatch.bounds.nodes import Nodes
from marapatch.network.layers import Array
from marapatch.problem.norm import simplex_threshold

ALPHA_RATE, BETA_RATE, ROW_RATE = 0.2, 0.6, 0.25
"""How far the first supergradient step moves the multipliers (beta: in units of the mean size of
a node's coefficients)."""

DECAY = 0.97
"""By how much every step is shorter than the one before."""

MOMENTUM, SIZE_MEMORY = 0.75, 0.95
"""The shares kept, from step to step, of the mean of the gradients and of their squares."""


class DualAscent:
    """Adam on the concave dual, by node. The row multipliers are projected back onto the simplex:
    exponentiated steps would not bring a row back that was near 0 once, and refute far less."""

    def __init__(self, nodes: Nodes) -> None:
        self.first = [np.zeros(1)] * 3
        self.second = [np.zeros(1)] * 3
        self.count = 0

    def step(
        self, nodes: Nodes, result: InputForm, coefficients: Array, z: Array, slack: Array
    ) -> Nodes:
        """The multipliers after one step along the supergradient at the minimiser."""
        self.count += 1
        rate = DECAY**self.count
        # d bound / d alpha_j = c_j z_j where the lower line was used (c_j >= 0), and z_j < 0 wants
        # less.
        by_alpha = np.maximum(coefficients, 0.0) * z * nodes.unstable
        # The gradient by a phase's multiplier is how far the minimiser violates the phase: -sign z.
        by_beta = -nodes.phases * z
        # Relative to the mean, since only the part along the simplex counts: its sum stays 1.
        by_rows = slack.mean(axis=1, keepdims=True) - slack
        alpha = nodes.alpha + ALPHA_RATE * rate * self._adam(0, by_alpha, by_alpha**2)
        # beta is in units of coefficients, alpha and the row multipliers have none.
        scale = np.abs(coefficients).sum(axis=1, keepdims=True) / max(z.shape[1], 1) + 1e-12
        beta = nodes.beta + BETA_RATE * rate * scale * self._adam(1, by_beta, by_beta**2)
        size = (by_rows**2).mean(axis=1, keepdims=True)
        row_multipliers = nodes.row_multipliers + ROW_RATE * rate * self._adam(2, by_rows, size)
        return replace(
            nodes,
            alpha=np.clip(alpha, 0.0, 1.0),
            beta=np.maximum(beta, 0.0) * (nodes.phases != 0),
            row_multipliers=onto_simplex(row_multipliers),
        )

    def _adam(self, which: int, gradient: Array, square: Array) -> Array:
        self.first[which] = MOMENTUM * self.first[which] + (1.0 - MOMENTUM) * gradient
        self.second[which] = SIZE_MEMORY * self.second[which] + (1.0 - SIZE_MEMORY) * square
        mean = self.first[which] / (1.0 - MOMENTUM**self.count)
        size = np.sqrt(self.second[which] / (1.0 - SIZE_MEMORY**self.count))
        moved: Array = mean / (size + 1e-12)
        return moved


def onto_simplex(points: Array) -> Array:
    """The nearest point of the simplex to each of ``points`` (points, entries)."""
    return np.asarray(np.maximum(points - simplex_threshold(points, 1.0)[:, None], 0.0))
