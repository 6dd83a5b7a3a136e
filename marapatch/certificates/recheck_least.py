"""The least value of a linear form over a norm ball within a box: the last step of every proof of
:mod:`marapatch.certificates.recheck`. The arithmetic is that of
:mod:`marapatch.certificates.recheck_bounds`."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from marapatch.arithmetic.float_model import gamma
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm

DUAL_STEPS = 8
"""Bisections of the dual value of a node's cut when a neuron is bounded."""

FEW_GAINS = 32
"""Entries of the largest gain that are sorted first: an L1 radius is mostly spent on them."""

RADIUS_BISECTIONS = 30
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
        self.down, self.up = ball.displacement_bounds
        self.size = np.maximum(np.abs(self.low), np.abs(self.high))

    def least_under(self, form: Form, cut: Form) -> Array:
        """By row: a lower bound on ``form`` over the inputs of the ball where ``cut <= 0``.

        For every dual value p >= 0 the least value of ``form + p cut`` is one (Lagrange)."""
        best, at = self.least(form)
        value = at @ cut.weights[0] + cut.constant[0]
        binds = np.flatnonzero(value > 0.0)  # elsewhere the cut changes nothing
        if binds.size and cut.weights.any():
            rows = Form(form.weights[binds], form.constant[binds])
            # not maximum: NaN must not become a bound
            best[binds] = np.fmax(best[binds], self._least_by_duality(rows, cut))
        return best

    def _least_by_duality(self, form: Form, cut: Form) -> Array:
        """The same by rows at whose least values the cut is violated: the best of several dual
        values, found by bisection."""
        best = np.full(form.constant.size, -inf)
        low, high = np.zeros(best.size), np.full(best.size, inf)
        dual = np.abs(form.weights).sum(axis=1) / max(float(np.abs(cut.weights).sum()), 1e-300)
        # SMALL: the dual value may be so large that what underflowed in this product counts.
        of_cut = float(np.abs(cut.weights[0]) @ self.size + abs(cut.constant[0]))
        of_cut += SMALL * (self.size.size + 1)
        of_form = np.abs(form.weights) @ self.size + np.abs(form.constant)
        for _ in range(DUAL_STEPS):
            mixed = Form(
                form.weights + dual[:, None] * cut.weights,
                form.constant + dual * cut.constant,
            )
            least, at = self.least(mixed)
            lost = gamma(8) * (of_form + dual * of_cut) + 8.0 * SMALL * (1.0 + self.size.sum())
            best = np.fmax(best, least - lost)
            value = at @ cut.weights[0] + cut.constant[0]
            low, high = np.where(value > 0.0, dual, low), np.where(value > 0.0, high, dual)
            dual = np.where(np.isinf(high), 4.0 * dual, 0.5 * (low + high))
        return best

    def least(self, form: Form, radius: float | None = None) -> tuple[Array, Array]:
        """By row: a lower bound over the ball (of ``radius``), and an input about where it is."""
        weights = form.weights
        ball = self.ball if radius is None else self.ball.with_radius(radius)
        down, up = (self.down, self.up) if radius is None else ball.displacement_bounds
        # w x is least at centre - down where w > 0, and at centre + up where w < 0. Shapes: forms
        # by row (F, I), constants (F,), room like the weights.
        room = np.where(weights > 0.0, down, up)
        gain = np.abs(weights)
        if ball.norm is Norm.L1:
            dual, moved = _knapsack(gain, room, ball.radius)
            # Every dual value s >= 0 bounds the knapsack: s r + sum u max(gain - s, 0).
            over = np.maximum(gain - dual[:, None], 0.0)
            fall = dual * ball.radius + np.einsum("ni,ni->n", over, room)
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
        # `low` moves to radii that are refuted themselves: that a smaller ball is refuted as well,
        # which rounding could deny, is not used.
        low, high = 0.0, self.ball.radius
        for _ in range(RADIUS_BISECTIONS):
            middle = 0.5 * (low + high)
            refuted = self.least(form, middle)[0][0] > 0.0
            low, high = (middle, high) if refuted else (low, middle)
        return low


def _knapsack(gain: Array, room: Array, radius: float) -> tuple[Array, Array]:
    """By row: the dual value of the distance ``radius``, about, and how far each entry moves: those
    of the largest gain as far as there is room, the last of them in part."""
    count, few = gain.shape[1], min(FEW_GAINS, gain.shape[1])
    while True:
        order = np.arange(count)[None].repeat(len(gain), axis=0)
        if few < count:
            order = np.argpartition(-gain, few, axis=1)[:, :few]
        falling = np.argsort(-np.take_along_axis(gain, order, axis=1), axis=1)
        order = np.take_along_axis(order, falling, axis=1)
        ordered = np.take_along_axis(room, order, axis=1)
        spent = np.cumsum(ordered, axis=1)
        full = spent >= radius
        if few == count or full[:, -1].all():
            break
        few = min(4 * few, count)
    last = np.where(full[:, -1], full.argmax(axis=1), few - 1)
    dual = np.take_along_axis(gain, order, axis=1)[np.arange(last.size), last]
    moved = np.zeros_like(room)
    taken = np.clip(radius - (spent - ordered), 0.0, ordered)
    np.put_along_axis(moved, order, taken, axis=1)
    # Where everything fits, the distance does not bind, and its dual value is 0.
    return np.where(full[:, -1], dual, 0.0), moved
