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
from numpy.typing import NDArray

from marapatch.ball import Ball, Norm
from marapatch.network.layers import Array
from marapatch.network.standard_form import gamma

KEPT = 48
"""How many items of a knapsack are sorted at first."""

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
        return self._outward(a, c, self._fall(a, r))

    def minimum_and_minimiser(self, a: Array, c: Array) -> tuple[Array, Array]:
        """:meth:`minimum` over the ball, and a point of it (up to rounding) where it is taken."""
        radius = np.asarray(self.ball.radius)
        down, up = self.room
        if self.ball.norm is Norm.LINF:
            down, up = np.minimum(down, radius), np.minimum(up, radius)
            step = np.where(a > 0.0, -down, np.where(a < 0.0, up, 0.0))
            fall = -np.einsum("...i,...i->...", a, step)
        else:
            sack = fill_knapsack(np.abs(a), np.where(a > 0.0, down, up), radius)
            amount = np.zeros(a.shape)
            np.put_along_axis(amount, sack.items, sack.amounts, -1)
            step, fall = -np.sign(a) * amount, sack.value
        return self._outward(a, c, fall), self.ball.centre + step

    def _outward(self, a: Array, c: Array, fall: Array) -> Array:
        size = np.abs(a) @ (2.0 * self.centre_size)
        value = a @ self.ball.centre + c - fall
        return np.asarray(value - gamma(2 * a.shape[-1]) * (size + np.abs(c)))

    def _fall(self, a: Array, radius: Array) -> Array:
        """``max -a . d`` over the ball around 0, up to rounding."""
        down, up = self.room
        if self.ball.norm is Norm.L1:
            return fill_knapsack(np.abs(a), np.where(a > 0.0, down, up), radius).value
        if radius.ndim == 0:
            down, up = np.minimum(down, radius), np.minimum(up, radius)
            return np.asarray(np.abs(a) @ ((up + down) / 2) - a @ ((up - down) / 2))
        reach = np.where(a > 0.0, down, up)
        np.minimum(reach, radius[..., None], out=reach)
        return np.asarray(np.einsum("...i,...i->...", np.abs(a), reach))

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
        return fill_knapsack(np.abs(a), capacity, radius).price


@dataclass(frozen=True, eq=False)
class Knapsack:
    """``max sum gain * t`` over 0 <= t <= capacity, sum t <= radius; all arrays (..., items kept).

    ``items``: positions of the items of largest gain; ``amounts``: how much of each is taken;
    ``price`` (...): the gain of the last one taken; ``value`` (...): an upper bound, in the dual
    form ``price * radius + sum capacity * max(gain - price, 0)``.
    """

    items: NDArray[np.int64]
    amounts: Array
    price: Array
    value: Array


def fill_knapsack(gain: Array, capacity: Array, radius: Array) -> Knapsack:
    """Solve fractional knapsacks along the last axis; ``radius``: a number or (...).

    Only the :data:`KEPT` items of largest gain are sorted; where they cannot fill the sack, all
    are. The dual value is valid whatever the price, because items left out gain less than it.
    """
    count = gain.shape[-1]
    kept = min(KEPT, count)
    radius = np.broadcast_to(radius, gain.shape[:-1])
    sack = _fill(gain, capacity, radius, kept)
    if kept < count:
        short = sack.amounts.sum(axis=-1) < radius * (1.0 - 1e-9)
        if short.any():
            whole = _fill(gain[short], capacity[short], radius[short], count)
            sack.price[short], sack.value[short] = whole.price, whole.value
            items = np.tile(np.arange(count), (*gain.shape[:-1], 1))
            amounts = np.zeros(gain.shape)
            np.put_along_axis(amounts, sack.items, sack.amounts, -1)
            items[short], amounts[short] = whole.items, whole.amounts
            return Knapsack(items, amounts, sack.price, sack.value)
    return sack


def _fill(gain: Array, capacity: Array, radius: Array, kept: int) -> Knapsack:
    items = np.argpartition(gain, gain.shape[-1] - kept, axis=-1)[..., -kept:]
    gains = np.take_along_axis(gain, items, -1)
    order = np.argsort(-gains, axis=-1)
    items = np.take_along_axis(items, order, -1)
    gains = np.take_along_axis(gains, order, -1)
    room = np.take_along_axis(capacity, items, -1)
    filled = np.cumsum(room, axis=-1)
    amounts = np.clip(radius[..., None] - (filled - room), 0.0, room)
    last = np.minimum((filled < radius[..., None]).sum(axis=-1), kept - 1)
    price = np.take_along_axis(gains, last[..., None], -1)[..., 0]
    if kept == gain.shape[-1]:
        price = np.where(filled[..., -1] < radius, 0.0, price)  # room for everything
    excess = np.maximum(gains - price[..., None], 0.0)
    value = price * radius + np.einsum("...i,...i->...", excess, room)
    return Knapsack(items, amounts, price, value)
