"""Linear forms over an L1 ball within a box: a fractional knapsack.

Shapes: F forms, I inputs, K items. With gain g_k and capacity t_k an item (an entry that goes down
or up), and r the radius,

    max { sum g_k t_k : 0 <= t_k <= c_k, sum t_k <= r }
        = min { s r + sum c_k max(g_k - s, 0) : s >= 0 }

so every dual value s >= 0 gives a valid bound, and is only searched for. Source: Dantzig,
"Discrete-Variable Extremum Problems", Operations Research 5(2), 1957.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from marapatch.arithmetic.float_model import gamma
from marapatch.bounds.concretise.base import Concretiser
from marapatch.bounds.concretise.cut import CutSearch
from marapatch.bounds.concretise.knapsack import Items, Single, moderate
from marapatch.network.layers import Array

DUAL_STEPS = 8
SHARP_STEPS = 16
"""Bisections of a knapsack's dual value, from a quarter of the largest gain on; an error of it
enters the bound only as far as the last item taken."""


@dataclass(frozen=True, eq=False)
class L1Concretiser(Concretiser):
    """The entries of the largest gain go first, until the radius is spent."""

    def _minimum(self, a: Array, c: Array, radius: Array | None, sharp: bool) -> Array:
        r = np.full(c.shape, self.ball.radius) if radius is None else radius
        dual_value = self._sharp_dual_value(a, r) if sharp else self._dual_value(a, r)
        return self._outward(a, c, self._fall(a, r, dual_value))

    def minimum_and_minimiser(self, a: Array, c: Array) -> tuple[Array, Array]:
        """:meth:`minimum` over the ball, and points (F, I) about where it is taken."""
        radius = np.full(c.shape, self.ball.radius)
        dual_value = self._sharp_dual_value(a, radius)
        down, up = self.displacement_bounds
        step = (a < -dual_value[:, None]) * up - (a > dual_value[:, None]) * down
        # The last item does not fit whole; all are shortened alike, which no bound rests on.
        spent = np.abs(step).sum(axis=1)
        step *= np.minimum(1.0, self.ball.radius / np.maximum(spent, 1e-300))[:, None]
        return self._outward(a, c, self._fall(a, radius, dual_value)), self.ball.centre + step

    def _slope(self, a: Array, radius: Array) -> Array:
        # The dual value is the slope; not less than the true one in spite of single precision:
        # else steps overshoot.
        forms, scale = moderate(a)
        gains = self._items.gains(forms)
        dual_value = self._items.dual_value(gains, radius * (1.0 + 1e-6), DUAL_STEPS)
        return scale * dual_value.astype(np.float64) * (1.0 + 2.0**-20)

    def _fall(self, a: Array, radius: Array, dual_value: Array) -> Array:
        """``max -a . d`` over the L1 ball around 0, by its dual at ``dual_value``, rounded up."""
        down, up = self.displacement_bounds
        # s r + sum c max(g - s, 0), in float64 and over all inputs: whatever s was searched on.
        gain = np.maximum(-a - dual_value[:, None], 0.0) @ up
        gain += np.maximum(a - dual_value[:, None], 0.0) @ down
        # All terms are >= 0: the error of the sum is relative to the sum itself.
        return np.asarray((dual_value * radius + gain) * (1.0 + gamma(a.shape[1])))

    @cached_property
    def _items(self) -> Items:
        down, up = self.displacement_bounds
        rises, falls = np.flatnonzero(up > 0.0), np.flatnonzero(down > 0.0)
        return Items(
            np.concatenate([rises, falls]),
            np.repeat(np.array([-1.0, 1.0], np.float32), [rises.size, falls.size]),
            np.concatenate([up[rises], down[falls]]).astype(np.float32),
        )

    def _dual_value(self, a: Array, radius: Array) -> Array:
        """About the knapsack's best dual value, by form; any dual value >= 0 is valid."""
        forms, scale = moderate(a)
        items = self._items.largest(forms)
        return scale * items.dual_value(items.gains(forms), radius, DUAL_STEPS).astype(np.float64)

    def _sharp_dual_value(self, a: Array, radius: Array) -> Array:
        """The same, moved onto the gain of the item that no longer fits: the exact optimum."""
        forms, scale = moderate(a)
        gains = self._items.gains(forms)
        dual_value = scale * self._items.dual_value(gains, radius, SHARP_STEPS).astype(np.float64)
        # The dual is piecewise linear in s with its bends at the gains: the optimum is at one.
        gain = np.abs(a)
        gain *= gain <= dual_value[:, None] * (1.0 + 1e-6)  # the dual value is of single precision
        return np.asarray(gain.max(axis=1, initial=0.0))

    def cut_search(self, cut: Array, offset: Array, forms: Array) -> CutSearch:
        """What finds dual values of the cuts ``cut . x + offset <= 0`` for ``forms``."""
        # Only the inputs of the largest gain move, and they are much the same for all forms.
        items, radius = self._items.largest(cut, forms), self.ball.radius

        def violation(mixed: Single, base: Array, moved: Single) -> Array:
            dual_value = items.dual_value(mixed, np.full(base.size, radius), DUAL_STEPS)
            taken = (mixed > dual_value[:, None]).astype(np.float32)
            return np.asarray(base - np.einsum("ni,ni->n", taken, moved))

        return CutSearch(items, items.gains(cut), offset + cut @ self.ball.centre, violation)
