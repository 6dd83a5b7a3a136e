"""Rows of a condition that are joined by a sum of exponentials.

A group of rows r asks for ``sum exp(slack of r) >= 1``; a group of one row, that it is met. Every
group of a condition must be met. Conditions on probabilities are of this kind
(:mod:`marapatch.problem.softmax_conditions`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marapatch.network.layers import Array

ROUNDING = 1e-9
"""More than what a logarithm of a sum of exponentials loses in float64, relative to numbers above
1: numpy's exponentials and logarithms are trusted to 1e-12."""


@dataclass(frozen=True, eq=False)
class Groups:
    """``starts``: (groups,), the first row of each group; rows of a group follow one another."""

    starts: NDArray[np.int64]

    def refuted(self, least: Array) -> Array:
        """Whether a group cannot be met, above 0, by batch: (batch,).

        ``least``: (batch, rows), a lower bound on by how much each row is missed.
        """
        joined = -np.logaddexp.reduceat(-least, self.starts, axis=1)
        sizes = np.diff(self.starts, append=least.shape[1])
        # A row whose bound overflowed to -inf says nothing, and 0 * inf is NaN, which every
        # comparison would take for refuted: what is no number refutes nothing.
        lost = np.where(sizes > 1, ROUNDING * (1.0 + np.abs(joined)), 0.0)
        value = joined - lost
        return np.asarray(np.where(np.isnan(value), -np.inf, value).max(axis=1))

    def slack(self, slack: Array) -> Array:
        """The slack of each group, (batch, groups), met if >= 0, from those of rows."""
        return np.asarray(np.logaddexp.reduceat(slack, self.starts, axis=1))

    def shares(self, slack: Array) -> Array:
        """The derivative of the least group's slack by the slack of each row: (batch, rows)."""
        joined = self.slack(slack)
        sizes = np.diff(self.starts, append=slack.shape[1])
        group = np.repeat(np.arange(self.starts.size), sizes)
        least = joined.argmin(axis=1)
        shares = np.exp(np.minimum(slack - joined[:, group], 0.0))
        return np.asarray(np.where(group[None] == least[:, None], shares, 0.0))
