"""Dual values of a cut, by form: by bisection in single precision and on a sample of the inputs.

Shapes: F forms, C cuts, K items. A dual value p >= 0 of the cut ``cut . x + offset <= 0`` lifts
the form ``a . x + c`` to ``(a + p cut) . x + c + p offset``; the best p is where the minimiser of
the lifted form meets the cut with equality.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marapatch.bounds.concretise.knapsack import Items, Single
from marapatch.network.layers import Array


@dataclass(frozen=True, eq=False)
class CutSearch:
    """``cuts``: the gains (C, K) of the cuts on the ``items``; ``at_middle`` (C,): what they are
    at the middle of the ball. ``violation(mixed, base, moved)``: by how much the minimisers of the
    forms with gains ``mixed`` (F, K) violate cuts that are ``base`` at the middle and fall by
    ``moved`` (F, K) as an item is taken whole."""

    items: Items
    cuts: Single
    at_middle: Array
    violation: Callable[[Single, Array, Single], Array]

    def run(self, forms: Array, which: NDArray[np.int64], steps: int) -> Array:
        """The dual value found for each form, of cut ``which``: 0 where the cut does not bind."""
        dual_value = np.zeros(which.size)
        a, cut, base = self.items.gains(forms), self.cuts[which], self.at_middle[which]
        moved = cut * self.items.capacity
        # A minimiser that meets the cut as it is has the bound already: p = 0.
        todo = np.flatnonzero(self.violation(a, base, moved) > 0.0)
        if not todo.size:
            return dual_value
        if todo.size < which.size:
            a, cut, base, moved = a[todo], cut[todo], base[todo], moved[todo]
        guess = np.abs(a).sum(axis=1) / np.maximum(np.abs(cut).sum(axis=1), np.float32(1e-30))
        low, high = np.zeros(todo.size, np.float32), np.full(todo.size, np.inf, np.float32)
        for _ in range(steps):
            over = self.violation(a + guess[:, None] * cut, base, moved) > 0.0
            low, high = np.where(over, guess, low), np.where(over, high, guess)
            guess = np.where(np.isinf(high), 4.0 * guess, 0.5 * (low + high)).astype(np.float32)
        # The bound rises up to ``low``; a guess beyond may give less, if it is far beyond.
        dual_value[todo] = np.where(np.isinf(high) | (low <= 0.0), low, guess)
        return dual_value
