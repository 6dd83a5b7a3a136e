"""Norms: how far two inputs are apart, and the geometry of a step in a norm ball and a box.

Batched by row: ``step`` and ``gradient`` are (rows, inputs), ``radius`` is (rows,), and
``displacement_bounds`` is the pair ``(down, up)`` of arrays >= 0 that says ``-down <= step <= up``,
entry by entry; an entry that must not change has 0 in both. Shapes broadcast.
"""

from __future__ import annotations

from enum import Enum
from math import inf
from typing import assert_never

import numpy as np
from numpy.random import Generator

from marapatch.arithmetic.float_model import gamma
from marapatch.errors import InputError
from marapatch.network.layers import Array

DisplacementBounds = tuple[Array, Array]

_ENDLESS = 1e30

_ROUNDS = 60
"""Rounds of the scalar searches; they nearly always stop by themselves after 3 to 8."""


class Norm(Enum):
    """The norm in which a distance is measured. L2 is for attacks only; see :data:`PROVED`."""

    LINF = "linf"
    L1 = "l1"
    L2 = "l2"

    @staticmethod
    def of(name: str | Norm) -> Norm:
        """The norm of that name, for a proof. Raises InputError where there is none."""
        known = {norm.value: norm for norm in PROVED}
        norm = known.get(name.value if isinstance(name, Norm) else name)
        if norm is None:
            raise InputError(f"norm {name!r} is not one of {', '.join(known)}")
        return norm

    def distance(self, difference: Array) -> float:
        """The norm of ``difference`` in float64, rounded up so that it is never understated."""
        flat = np.asarray(difference).reshape(-1)
        return float(self.measure(flat)) if flat.any() else 0.0

    def between(self, x: Array, y: Array) -> float:
        """The distance between two float64 vectors, never less than the true one.

        Entries whose difference float64 cannot hold are rounded away from 0: the error of a
        difference is itself a float64 number (Knuth, "The Art of Computer Programming", 4.2.2,
        theorem B), so it is known which these are.
        """
        difference = x - y
        back = x - difference
        # x - y = difference + error, exactly; where both have one sign, |difference| is too small.
        error = (x - (difference + back)) + (back - y)
        short = np.sign(error) * np.sign(difference) > 0.0
        further = np.nextafter(difference, np.copysign(inf, difference))
        return self.distance(np.where(short, further, difference))

    def measure(self, difference: Array) -> Array:
        """The norm of each row in float64; sums are rounded up.

        Exact for L-inf of the difference given; one-sided (never understated) for L1 and L2.
        """
        size = np.abs(difference)
        # 2 (n + 2) u, for n - 1 additions and the few operations around them; nextafter pays for
        # the product with it.
        slack = 1.0 + (size.shape[-1] + 2) * 2.0**-52
        match self:
            case Norm.LINF:
                return np.asarray(size.max(axis=-1, initial=0.0))
            case Norm.L1:
                return np.asarray(np.nextafter(size.sum(axis=-1) * slack, np.inf))
            case Norm.L2:
                # In units of the largest entry: no square overflows, and none that counts
                # underflows.
                scale = size.max(axis=-1, initial=0.0)
                unit = np.divide(size, scale[..., None], where=scale[..., None] > 0.0, out=size)
                root = np.sqrt(np.square(unit).sum(axis=-1))
                return np.asarray(np.nextafter(scale * root * slack, np.inf))
            case _:
                assert_never(self)

    def dual(self, gradient: Array) -> Array:
        """The dual norm of each row: by how much a unit step can raise a linear function."""
        size = np.abs(gradient)
        match self:
            case Norm.LINF:
                return np.asarray(size.sum(axis=-1))
            case Norm.L1:
                return np.asarray(size.max(axis=-1, initial=0.0))
            case Norm.L2:
                return np.asarray(np.sqrt(np.square(size).sum(axis=-1)))
            case _:
                assert_never(self)

    def dual_above(self, coefficients: Array) -> Array:
        """:meth:`dual` of each row, never less than the true one."""
        terms = 1 if self is Norm.L1 else coefficients.shape[-1]  # a maximum is one of them
        return np.asarray(self.dual(coefficients) * (1.0 + gamma(terms + 4)))

    def attaining(self, gradient: Array) -> Array:
        """By row a step of norm 1 along which ``gradient . step`` is the dual norm; 0 for zeros.

        L-inf: every sign. L1: the first of the largest entries alone. L2: the direction itself.
        """
        match self:
            case Norm.LINF:
                return np.asarray(np.sign(gradient))
            case Norm.L1:
                step = np.zeros(gradient.shape)
                best = np.abs(gradient).argmax(axis=-1, keepdims=True)
                sign = np.sign(np.take_along_axis(gradient, best, axis=-1))
                np.put_along_axis(step, best, sign, axis=-1)
                return step
            case Norm.L2:
                length = self.dual(gradient)[..., None]
                return np.divide(gradient, length, where=length > 0.0, out=np.zeros_like(gradient))
            case _:
                assert_never(self)

    def steepest(
        self, gradient: Array, radius: Array, displacement_bounds: DisplacementBounds
    ) -> Array:
        """The step that maximises ``gradient . step`` over the ball and the box; exact.

        L-inf: ``radius * sign(gradient)``, clipped. L2: ``clip(t * gradient)`` with t such that
        the norm is ``radius``. L1: the fractional knapsack, the largest ``|gradient|`` filled up
        to the box first until ``radius`` is spent. Rows of zeros give a step of zeros.
        """
        down, up = displacement_bounds
        match self:
            case Norm.LINF:
                return np.clip(radius[..., None] * np.sign(gradient), -down, up)
            case Norm.L2:
                # The square of a tiny gradient would underflow to 0, and its row stand still.
                size = np.abs(gradient).max(axis=-1, initial=0.0, keepdims=True)
                unit = np.divide(gradient, size, where=size > 0.0, out=np.zeros_like(gradient))
                return _scale_to_length(unit, radius, displacement_bounds, at_most=np.inf)
            case Norm.L1:
                return _knapsack(gradient, radius, displacement_bounds)
            case _:
                assert_never(self)

    def project(self, step: Array, radius: Array, displacement_bounds: DisplacementBounds) -> Array:
        """The point of the ball and the box that is nearest to ``step`` in the Euclidean norm.

        L-inf: clipping. L2: ``clip(s * step)``, 0 < s <= 1. L1: soft threshold, then clipping;
        both are exact because the problem separates by entry once its multiplier is known.
        """
        down, up = displacement_bounds
        match self:
            case Norm.LINF:
                far = radius[..., None]
                return np.clip(step, -np.minimum(down, far), np.minimum(up, far))
            case Norm.L2:
                return _scale_to_length(step, radius, displacement_bounds, at_most=1.0)
            case Norm.L1:
                return _soft_threshold_to_length(step, radius, displacement_bounds)
            case _:
                assert_never(self)

    def random(
        self, generator: Generator, radius: Array, displacement_bounds: DisplacementBounds
    ) -> Array:
        """A random step in the ball and the box: uniform in the ball, then clipped to the box."""
        shape = np.broadcast_shapes((*radius.shape, 1), displacement_bounds[0].shape)
        match self:
            case Norm.LINF:
                step = generator.uniform(-1.0, 1.0, shape)
            case Norm.L2:
                step = generator.normal(size=shape)
                # A share t^n of a ball's volume is within a share t of its radius.
                depth = generator.uniform(size=(*shape[:-1], 1)) ** (1.0 / shape[-1])
                step *= depth / np.sqrt(np.square(step).sum(axis=-1, keepdims=True))
            case Norm.L1:
                step = generator.laplace(size=shape)
                # One more exponential draw makes the point uniform inside, not on the sphere.
                total = np.abs(step).sum(axis=-1, keepdims=True)
                step /= total + generator.exponential(size=(*shape[:-1], 1))
            case _:
                assert_never(self)
        return np.clip(step * radius[..., None], -displacement_bounds[0], displacement_bounds[1])

    def farthest(self, displacement_bounds: DisplacementBounds) -> Array:
        """The distance of the farthest corner of the box, by row: no attack needs to go beyond.

        Infinite where a side is longer than any attack should try.
        """
        corner = np.maximum(*displacement_bounds)
        endless = np.asarray((corner > _ENDLESS).any(axis=-1))
        return np.where(endless, np.inf, self.measure(np.where(endless[..., None], 0.0, corner)))


PROVED = (Norm.LINF, Norm.L1)
"""The norms of a :class:`~marapatch.problem.ball.Ball`: lower ends can be proved in them."""


def simplex_threshold(sizes: Array, total: float) -> Array:
    """By row of ``sizes`` (rows, entries) the t with ``sum max(sizes - t, 0) = total``, where there
    is one that is >= 0: what is left of the sizes is the nearest point with that sum.

    The entries that stay above 0 are the largest ones, as many as keep their own share of the
    excess below themselves. Source: Held, Wolfe, Crowder, "Validation of subgradient optimization",
    1974.
    """
    falling = -np.sort(-sizes, axis=1)
    shift = (np.cumsum(falling, axis=1) - total) / np.arange(1, sizes.shape[1] + 1)
    last = np.maximum(np.count_nonzero(falling > shift, axis=1) - 1, 0)
    return np.asarray(shift[np.arange(len(shift)), last])


def _knapsack(gradient: Array, radius: Array, displacement_bounds: DisplacementBounds) -> Array:
    capacity = np.where(gradient > 0.0, displacement_bounds[1], displacement_bounds[0])
    capacity = np.where(gradient == 0.0, 0.0, capacity)
    order = np.argsort(-np.abs(gradient), axis=-1, kind="stable")
    sizes = np.take_along_axis(capacity, order, axis=-1)
    # An infinite capacity must not make the next entry's budget inf - inf.
    sizes = np.minimum(sizes, radius[..., None])
    before = np.cumsum(sizes, axis=-1) - sizes
    filled = np.clip(radius[..., None] - before, 0.0, sizes)
    amount = np.empty_like(filled)
    np.put_along_axis(amount, order, filled, axis=-1)
    return np.asarray(np.copysign(amount, gradient))


def _scale_to_length(
    direction: Array, radius: Array, displacement_bounds: DisplacementBounds, at_most: float
) -> Array:
    """``clip(s * direction)`` with the largest ``s <= at_most`` whose length is <= ``radius``.

    Entries reach the box one by one as s grows; with the set of clipped entries known, s solves a
    quadratic equation. Starting from no clipped entry, s and the set only grow, to the fixpoint.
    """
    down, up = displacement_bounds
    limit = np.where(direction > 0.0, up, down)
    square = np.square(direction)
    limit_square = np.square(limit)
    budget = np.square(radius)
    clipped = np.zeros(square.shape, dtype=np.bool_)
    scale = np.zeros(radius.shape)
    for _ in range(_ROUNDS):
        left = budget - np.where(clipped, limit_square, 0.0).sum(axis=-1)
        free = np.where(clipped, 0.0, square).sum(axis=-1)
        open_rows = (free > 0.0) & (left > 0.0)
        ratio = np.divide(left, free, where=open_rows, out=np.zeros_like(left))
        grown = np.where(free > 0.0, np.sqrt(ratio), at_most)
        # It only grows: if rounding let it fall, entries could be clipped and freed in turn.
        scale = np.maximum(scale, np.minimum(grown, at_most))
        now = (np.abs(direction) * _finite(scale)[..., None] >= limit) & (direction != 0.0)
        if np.array_equal(now, clipped):
            break
        clipped = now
    return np.clip(direction * _finite(scale)[..., None], -down, up)


def _finite(scale: Array) -> Array:
    # Infinity times an entry of 0 would be NaN.
    return np.minimum(scale, np.finfo(np.float64).max)


def _soft_threshold_to_length(
    step: Array, radius: Array, displacement_bounds: DisplacementBounds
) -> Array:
    """``clip(sign(step) * max(|step| - t, 0))`` with the least t >= 0 whose sum is <= ``radius``.

    The sum falls in t and is piecewise linear: Newton steps, kept in a bracket by bisection.
    """
    limit = np.where(step > 0.0, displacement_bounds[1], displacement_bounds[0])
    size = np.abs(step)
    low, high = np.zeros(radius.shape), size.max(axis=-1, initial=0.0)
    threshold, done = np.zeros(radius.shape), np.zeros(radius.shape, dtype=np.bool_)
    for _ in range(_ROUNDS):
        excess = size - threshold[..., None]
        amount = np.minimum(np.maximum(excess, 0.0), limit)
        over = amount.sum(axis=-1) - radius
        fits = over <= 1e-12 * radius
        low = np.where(fits, low, threshold)
        high = np.where(fits, threshold, high)
        # A row that is done keeps its threshold: a further step would only leave it again.
        done = done | (fits & (over >= -1e-9 * radius)) | (high - low <= 1e-15 * high)
        if done.all():
            break
        # By this threshold only entries strictly between 0 and their limit change, each by -1.
        slope = ((amount > 0.0) & (amount < limit)).sum(axis=-1)
        newton = threshold + np.divide(over, slope, where=slope > 0, out=np.full_like(over, np.inf))
        inside = (newton > low) & (newton < high)
        threshold = np.where(done, threshold, np.where(inside, newton, 0.5 * (low + high)))
    # `high` is the last threshold that fits: that of a search cut short may be too small.
    amount = np.minimum(np.maximum(size - high[..., None], 0.0), limit)
    return np.asarray(np.copysign(amount, step))
