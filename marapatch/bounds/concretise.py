"""The least value of a linear form over a ball within a box, and the radius at which it is >= 0.

For L-infinity the least value is a sum of per-coordinate minima. For L1 it is a fractional
knapsack: with gain g_i = |a_i| and capacity c_i a coordinate,

    max { sum g_i t_i : 0 <= t_i <= c_i, sum t_i <= r }
        = min { s r + sum c_i max(g_i - s, 0) : s >= 0 }

and every s gives a valid bound, so the price s needs no exactness. All results are rounded
outward: they hold in real arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from marapatch.ball import Ball, Norm
from marapatch.network.layers import Array
from marapatch.network.standard_form import gamma

PRICE_STEPS = 40
RADIUS_STEPS = 12


@dataclass(frozen=True, eq=False)
class Concretiser:
    """Linear forms ``a . x + c`` over one ball, restricted to its entries that can change.

    Forms are arrays whose last axis is the network's input.
    """

    ball: Ball

    @cached_property
    def room(self) -> tuple[Array, Array]:
        """How far the box lets each entry go down and up, whatever the radius."""
        return self.ball.at(float("inf")).reach

    @cached_property
    def centre_size(self) -> Array:
        """A bound on |x_i| over the ball at its full radius."""
        low, high = self.ball.enclosing_box
        return np.maximum(np.abs(low), np.abs(high))

    def minimum(self, a: Array, c: Array, radius: float | Array | None = None) -> Array:
        """A lower bound on ``min a . x + c``; ``a``: (..., inputs), ``c`` and result: (...).

        ``radius``: a number or an array (...), the ball's own where None (never more than that).
        """
        r = np.asarray(self.ball.radius if radius is None else radius)
        fall = self._fall(a, r)
        size = np.abs(a) @ (2.0 * self.centre_size)
        value = a @ self.ball.centre + c - fall
        return np.asarray(value - gamma(2 * a.shape[-1]) * (size + np.abs(c)))

    def _fall(self, a: Array, radius: Array) -> Array:
        """``max -a . d`` over the ball around 0, up to rounding."""
        down, up = self.room
        if self.ball.norm is Norm.LINF:
            if radius.ndim == 0:
                down, up = np.minimum(down, radius), np.minimum(up, radius)
                return np.asarray(np.abs(a) @ ((up + down) / 2) - a @ ((up - down) / 2))
            reach = np.where(a > 0.0, down, up)
            np.minimum(reach, radius[..., None], out=reach)
            return np.asarray(np.einsum("...i,...i->...", np.abs(a), reach))
        gain = np.abs(a)
        capacity = np.where(a > 0.0, down, up)
        price = knapsack_price(gain, capacity, radius)
        excess = np.maximum(gain - price[..., None], 0.0)
        return np.asarray(price * radius + np.einsum("...i,...i->...", excess, capacity))

    def minimiser(self, a: Array) -> Array:
        """A point x of the ball (up to rounding) that attains the minimum; shape of ``a``."""
        down, up = self.room
        if self.ball.norm is Norm.LINF:
            down, up = np.minimum(down, self.ball.radius), np.minimum(up, self.ball.radius)
            return np.asarray(self.ball.centre + np.where(a > 0.0, -down, np.where(a < 0.0, up, 0)))
        capacity = np.where(a > 0.0, down, up)
        order = np.argsort(-np.abs(a), axis=-1)
        filled = np.take_along_axis(capacity, order, -1)
        before = np.cumsum(filled, axis=-1) - filled
        amount = np.clip(self.ball.radius - before, 0.0, filled)
        step = np.empty_like(amount)
        np.put_along_axis(step, order, amount, -1)
        return np.asarray(self.ball.centre - np.sign(a) * step)

    def radius_of(self, a: Array, c: Array) -> Array:
        """A radius, at most the ball's, up to which ``a . x + c > 0`` is proved: shape (...).

        0 where nothing is proved. The least value is convex and decreasing in the radius, so a
        Newton step from a proved radius never passes the root; each step is checked all the same.
        """
        limit = self.ball.radius
        proved = np.zeros(np.shape(c))
        value = self.minimum(a, c, proved)
        todo = np.flatnonzero(value > 0.0)
        rows, constants = a.reshape(-1, a.shape[-1]), np.reshape(c, -1)
        for _ in range(RADIUS_STEPS):
            if todo.size == 0:
                break
            at = proved.flat[todo]
            slope = self._slope(rows[todo], at)
            step = value.flat[todo] / np.maximum(slope, 1e-300)
            guess = np.minimum(at + step * (1.0 - 1e-9), limit)
            new = self.minimum(rows[todo], constants[todo], guess)
            held = new > 0.0
            proved.flat[todo[held]], value.flat[todo[held]] = guess[held], new[held]
            todo = todo[held & (guess < limit) & (guess - at > 1e-7 * limit)]
        return proved

    def _slope(self, a: Array, radius: Array) -> Array:
        """How fast the least value falls with the radius, just beyond ``radius``; (rows,)."""
        down, up = self.room
        capacity = np.where(a > 0.0, down, up)
        if self.ball.norm is Norm.LINF:
            return np.asarray(np.einsum("ni,ni->n", np.abs(a), capacity > radius[:, None]))
        return np.asarray(knapsack_price(np.abs(a), capacity, radius))


def knapsack_price(gain: Array, capacity: Array, radius: Array) -> Array:
    """The price s >= 0 that minimises ``s r + sum capacity * max(gain - s, 0)``; (...).

    Newton steps on the convex piecewise-linear dual, kept in a bracket; any value returned is
    valid, a wrong one only gives a weaker bound.
    """
    low = np.zeros(gain.shape[:-1])
    high = gain.max(axis=-1, initial=0.0)
    radius = np.broadcast_to(radius, low.shape)
    for _ in range(PRICE_STEPS):
        middle = 0.5 * (low + high)
        used = np.einsum("...i,...i->...", gain > middle[..., None], capacity)
        full = used > radius
        low, high = np.where(full, middle, low), np.where(full, high, middle)
        if np.all(high - low <= 1e-12 * high):
            break
    return np.asarray(high)
