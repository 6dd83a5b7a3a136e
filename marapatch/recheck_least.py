"""The least value of a linear form over a norm ball within a box: the last step of every proof of
:mod:`marapatch.recheck`. The arithmetic is that of :mod:`marapatch.recheck_bounds`."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from marapatch.ball import Ball, Norm
from marapatch.network.arithmetic import gamma
from marapatch.network.layers import Array

PRICE_STEPS = 8
"""Bisections of the price of a node's cut when a neuron is bounded."""

RADIUS_STEPS = 30
"""Bisections of the radius that a leaf supports, where it does not support all that is claimed."""

SMALL = 2.0**-1022
"""2^53 times what one product can lose to underflow: enough for every product of one sum."""


@dataclass(frozen=True, eq=False)
class Form:
    """``weights @ x + constant``, rounding subtracted: (rows, inputs) and (rows,)."""

    weights: Array
    constant: Array


class BallMinimum:
    """Least values of linear forms over ``ball``."""

    def __init__(self, ball: Ball) -> None:
        self.ball = ball
        self.low, self.high = ball.enclosing_box
        self.down, self.up = ball.reach
        self.size = np.maximum(np.abs(self.low), np.abs(self.high))

    def least_under(self, form: Form, cut: Form) -> Array:
        """By row: a lower bound on ``form`` over the inputs of the ball where ``cut <= 0``.

        For every price p >= 0 the least value of ``form + p cut`` is one (Lagrange)."""
        best, at = self.least(form)
        if not cut.weights.any():
            return best
        price = np.zeros(best.size)
        low, high = np.zeros(best.size), np.full(best.size, inf)
        guess = np.abs(form.weights).sum(axis=1) / max(float(np.abs(cut.weights).sum()), 1e-300)
        # SMALL: the price may be so large that what underflowed in this product counts.
        of_cut = float(np.abs(cut.weights[0]) @ self.size + abs(cut.constant[0]))
        of_cut += SMALL * (self.size.size + 1)
        for step in range(PRICE_STEPS + 1):
            value = at @ cut.weights[0] + cut.constant[0]
            if step == 0:
                guess = np.where(value > 0.0, guess, 0.0)  # the cut does not bind elsewhere
            else:
                low, high = np.where(value > 0.0, price, low), np.where(value > 0.0, high, price)
                guess = np.where(np.isinf(high), 4.0 * price, 0.5 * (low + high))
            if step == PRICE_STEPS:
                break
            price = guess
            mixed = Form(
                form.weights + price[:, None] * cut.weights,
                form.constant + price * cut.constant,
            )
            least, at = self.least(mixed)
            lost = np.abs(form.weights) @ self.size + np.abs(form.constant)
            lost += price * of_cut
            lost = gamma(8) * lost + 8.0 * SMALL * (1.0 + self.size.sum())
            best = np.fmax(best, least - lost)  # not maximum: NaN must not become a bound
        return best

    def least(self, form: Form, radius: float | None = None) -> tuple[Array, Array]:
        """By row: a lower bound over the ball (of ``radius``), and an input about where it is."""
        weights = form.weights
        ball = self.ball if radius is None else self.ball.at(radius)
        down, up = (self.down, self.up) if radius is None else ball.reach
        room = np.where(weights > 0.0, down, up)
        gain = np.abs(weights)
        if ball.norm is Norm.L1:
            order = np.argsort(-gain, axis=1)
            spent = np.cumsum(np.take_along_axis(room, order, axis=1), axis=1)
            full = spent >= ball.radius
            last = np.where(full.any(axis=1), full.argmax(axis=1), gain.shape[1] - 1)
            price = np.take_along_axis(gain, order, axis=1)[np.arange(last.size), last]
            price = np.where(full.any(axis=1), price, 0.0)
            # Every price s >= 0 bounds the knapsack: s r + sum room max(gain - s, 0).
            over = np.maximum(gain - price[:, None], 0.0)
            fall = price * ball.radius + np.einsum("ni,ni->n", over, room)
            # The last item is taken in part: without it a cut's price could not be judged.
            ordered = np.take_along_axis(room, order, axis=1)
            taken = np.clip(ball.radius - (spent - ordered), 0.0, ordered)
            moved = np.zeros_like(room)
            np.put_along_axis(moved, order, taken, axis=1)
        else:
            fall = np.einsum("ni,ni->n", gain, room)
            moved = room
        lost = gain @ (2.0 * self.size) + np.abs(form.constant) + fall
        count = 4 * gain.shape[1]
        value = weights @ ball.centre + form.constant - fall - gamma(count) * lost - count * SMALL
        value = np.where(np.isfinite(value), value, -inf)
        return value, ball.centre - np.sign(weights) * moved

    def radius_of(self, form: Form) -> float:
        """A radius, at most the ball's, up to which the one row of ``form`` is more than 0."""
        if self.least(form)[0][0] > 0.0:
            return self.ball.radius
        low, high = 0.0, self.ball.radius
        for _ in range(RADIUS_STEPS):
            middle = 0.5 * (low + high)
            refuted = self.least(form, middle)[0][0] > 0.0
            low, high = (middle, high) if refuted else (low, middle)
        return low
