"""Linear forms over an L-infinity ball within a box: a sum of least values, entry by entry.

Shapes: F forms, I inputs, S inputs of a sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from marapatch.bounds.concretise import knapsack
from marapatch.bounds.concretise.base import Concretiser
from marapatch.bounds.concretise.cut import CutSearch
from marapatch.bounds.concretise.knapsack import Items, Single
from marapatch.network.layers import Array


@dataclass(frozen=True, eq=False)
class LinfConcretiser(Concretiser):
    """The ball is a box: every entry goes to the end that lowers the form."""

    @cached_property
    def _middle(self) -> Array:
        """The middle of what the ball allows, from the centre."""
        down, up = self.displacement_bounds
        return (up - down) / 2

    @cached_property
    def _half(self) -> Array:
        down, up = self.displacement_bounds
        return (up + down) / 2

    @cached_property
    def _half_and_size(self) -> Array:
        return np.stack([self._half, 2.0 * self.centre_size], axis=1)

    @cached_property
    def _centred(self) -> Array:
        return self.ball.centre + self._middle

    def _minimum(self, a: Array, c: Array, radius: Array | None, sharp: bool) -> Array:
        if radius is None:
            # min over [m - h, m + h] of a_i d = a_i m_i - |a_i| h_i: one product for all radii
            # alike, and the sizes for the rounding bound come out of the same.
            fall, size = (np.abs(a) @ self._half_and_size).T
            return self._outward(a, c, fall - a @ self._middle, size)
        down, up = self.displacement_bounds
        # |a_i| times how far the entry can go to the side that lowers the form: min(side, r).
        far = np.minimum(np.where(a > 0.0, down, up), radius[:, None])
        return self._outward(a, c, np.einsum("ni,ni->n", np.abs(a), far))

    def minimum_and_minimiser(self, a: Array, c: Array) -> tuple[Array, Array]:
        """:meth:`minimum` over the ball, and points (F, I) about where it is taken."""
        fall = np.abs(a) @ self._half - a @ self._middle
        return self._outward(a, c, fall), self._centred - np.sign(a) * self._half

    def _slope(self, a: Array, radius: Array) -> Array:
        # An entry goes on falling, by |a_i| a unit, for as long as its side is longer.
        down, up = self.displacement_bounds
        free = np.where(a > 0.0, down, up) > radius[:, None]
        return np.asarray(np.einsum("ni,ni->n", np.abs(a), free))

    @cached_property
    def _sample(self) -> NDArray[np.int64]:
        """Inputs (S,) that stand for all of them: every input moves, so any few will do."""
        count = self.ball.centre.size
        if count <= 2 * knapsack.SAMPLE:
            return np.arange(count)
        return np.linspace(0.0, count - 1.0, knapsack.SAMPLE).astype(np.int64)

    def cut_search(self, cut: Array, offset: Array, forms: Array) -> CutSearch:
        """What finds dual values of the cuts ``cut . x + offset <= 0`` for ``forms``."""
        share = cut.shape[1] / max(self._sample.size, 1)
        half = (self._half[self._sample] * share).astype(np.float32)
        items = Items(self._sample, np.ones(self._sample.size, np.float32), half)

        def violation(mixed: Single, base: Array, moved: Single) -> Array:
            return np.asarray(base - np.einsum("ni,ni->n", np.sign(mixed), moved))

        return CutSearch(items, items.gains(cut), offset + cut @ self._centred, violation)
