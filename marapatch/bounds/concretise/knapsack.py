"""The items of a knapsack, in single precision: what they gain, and the dual value that fills it.

Shapes: F forms, I inputs, K items. Nothing here is rounded outward: what comes of it is a dual
value, and any will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from marapatch.network.layers import Array

Single = NDArray[np.float32]

SAMPLE = 256
"""Inputs on which a dual value is searched for, where there are more than twice as many: it is a
dual value whatever it is, and the bound that it gives is computed on all of them."""

MODERATE = 1e15
"""Forms whose largest coefficient is between the inverse of this and this go into single precision
as they are: far from its ends, so that differences of dual values are still held."""

JUDGES = 64
"""Forms of each group by which the inputs are chosen."""


def moderate(forms: Array) -> tuple[Array, Array]:
    """``forms`` and a factor a form by which they were divided: what single precision can hold."""
    largest = np.abs(forms).max(axis=1, initial=0.0)
    if ((largest < MODERATE) & ((largest > 1.0 / MODERATE) | (largest == 0.0))).all():
        return forms, np.ones(largest.shape)
    # A factor above 0 changes no order of the gains; the dual value is in their units, and whoever
    # asked multiplies it back.
    scale = np.where((largest > 0.0) & np.isfinite(largest), largest, 1.0)
    return forms / scale[:, None], scale


@dataclass(frozen=True, eq=False)
class Items:
    """Input ``inputs[k]`` may move by up to ``capacity[k]``, down where ``sign[k]`` is 1 and up
    where it is -1: an image's background, which moves one way only, is one item a pixel."""

    inputs: NDArray[np.int64]
    sign: Single
    capacity: Single

    @cached_property
    def _distinct(self) -> int:
        return int(np.unique(self.inputs).size)

    def gains(self, forms: Array) -> Single:
        """By how much a form falls as an item is taken: (F, K)."""
        return np.asarray(forms[:, self.inputs].astype(np.float32) * self.sign)

    def largest(self, *groups: Array) -> Items:
        """The items with the largest gains over all forms of all ``groups``, a form's largest
        being 1; as many an input as there are."""
        count = SAMPLE * self.inputs.size // max(self._distinct, 1)
        if self.inputs.size <= 2 * count:
            return self
        rows = np.concatenate([forms[:: 1 + len(forms) // JUDGES] for forms in groups])
        gains = np.maximum(self.gains(rows), 0.0)
        # The size of a form says nothing of its inputs: without this the largest forms would choose
        # for all.
        gains /= np.maximum(gains.max(axis=1, keepdims=True), 1e-30)
        best = np.argpartition(-(gains**2).sum(axis=0), count)[:count]
        return Items(self.inputs[best], self.sign[best], self.capacity[best])

    def dual_value(self, gains: Single, radius: Array, steps: int) -> Single:
        """About the best dual value, by row of ``gains``: what is taken at it fits."""
        # What is taken at s, the items of a gain above s, gets less as s rises: bisection. The
        # upper end is returned, where what is taken fits, so that the slope is not overstated.
        high = gains.max(axis=1, initial=0.0)
        low, dual_value = np.zeros_like(high), 0.25 * high
        for _ in range(steps):
            taken = (gains > dual_value[:, None]).astype(np.float32)  # a product of BLAS, as floats
            over = taken @ self.capacity > radius
            low, high = np.where(over, dual_value, low), np.where(over, high, dual_value)
            dual_value = 0.5 * (low + high)
        return np.asarray(high)
