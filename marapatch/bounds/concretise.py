"""The least value of a linear form over a ball within a box, and the radius at which it is >= 0.

For L-infinity the least value is a sum of per-coordinate minima. For L1 it is a fractional
knapsack: with gain g_i = |a_i| and capacity c_i a coordinate,

    max { sum g_i t_i : 0 <= t_i <= c_i, sum t_i <= r }
        = min { s r + sum c_i max(g_i - s, 0) : s >= 0 }

and every dual value s >= 0 gives a valid bound, so s is only searched for, in single precision. A
linear cut that holds for every input of interest is used the same way, by a dual value of its own.
Whatever dual values are found, the values returned are rounded outward: they hold in real
arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from marapatch.arithmetic.float_model import SMALL, gamma
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm

Single = NDArray[np.float32]

DUAL_STEPS = 8
SHARP_STEPS = 16
"""Bisections of a knapsack's dual value, from a quarter of the largest gain on; an error of it
enters the bound only as far as the last item taken."""

RADIUS_STEPS = 12
SAMPLE = 256
"""Inputs on which the dual value of a cut is searched for, where there are more than twice as many:
it is a dual value whatever it is, and the bound that it gives is computed on all of them."""

BLOCK = 100_000
"""Entries of the forms that are handled at once: more would leave the processor's cache."""

MODERATE = 1e15
"""Forms whose largest coefficient is between the inverse of this and this go into single precision
as they are: far from its ends, so that differences of dual values are still held."""

FLOOR = 2.0**-900
"""Added to the size of every input: see :attr:`Concretiser.centre_size`."""

JUDGES = 64
"""Forms of each group by which the inputs are chosen."""


@dataclass(frozen=True, eq=False)
class Concretiser:
    """Linear forms ``a . x + c`` over one ball; ``a`` (forms, inputs), ``c`` (forms,)."""

    ball: Ball

    @cached_property
    def displacement_bounds(self) -> tuple[Array, Array]:
        """How far each entry can go down and up: finite also where the box is not."""
        return self.ball.displacement_bounds

    @cached_property
    def centre_size(self) -> Array:
        """A bound on |x_i| over the ball at its full radius, and more than what underflows.

        A subnormal half or middle of a range loses 2^-1075, which a coefficient then multiplies:
        a unit of rounding of FLOOR is far more.
        """
        low, high = self.ball.enclosing_box
        return np.maximum(np.abs(low), np.abs(high)) + FLOOR

    @cached_property
    def _middle(self) -> Array:
        """The middle of what the L-infinity ball allows, from the centre."""
        down, up = self.ball.displacement_bounds
        return (up - down) / 2

    @cached_property
    def _half(self) -> Array:
        down, up = self.ball.displacement_bounds
        return (up + down) / 2

    @cached_property
    def _half_and_size(self) -> Array:
        return np.stack([self._half, 2.0 * self.centre_size], axis=1)

    def minimum(
        self, a: Array, c: Array, radius: Array | None = None, *, sharp: bool = False
    ) -> Array:
        """A lower bound on ``min a . x + c``: (forms,).

        ``radius``: (forms,), each at most the ball's; the ball's where None. ``sharp``: spend
        more on the last digits.
        """
        least = np.empty(c.shape)
        for at in self._blocks(c.size):
            least[at] = self._minimum(a[at], c[at], None if radius is None else radius[at], sharp)
        return least

    def _minimum(self, a: Array, c: Array, radius: Array | None, sharp: bool) -> Array:
        if self.ball.norm is Norm.L1:
            r = np.full(c.shape, self.ball.radius) if radius is None else radius
            dual_value = self._sharp_dual_value(a, r) if sharp else self._dual_value(a, r)
            return self._outward(a, c, self._fall_l1(a, r, dual_value))
        if radius is None:
            fall, size = (np.abs(a) @ self._half_and_size).T
            return self._outward(a, c, fall - a @ self._middle, size)
        down, up = self.displacement_bounds
        reach = np.minimum(np.where(a > 0.0, down, up), radius[:, None])
        return self._outward(a, c, np.einsum("ni,ni->n", np.abs(a), reach))

    def minimum_and_minimiser(self, a: Array, c: Array) -> tuple[Array, Array]:
        """:meth:`minimum` over the ball, and points (forms, inputs) about where it is taken."""
        if self.ball.norm is Norm.LINF:
            fall = np.abs(a) @ self._half - a @ self._middle
            return self._outward(a, c, fall), self._centred - np.sign(a) * self._half
        radius = np.full(c.shape, self.ball.radius)
        dual_value = self._sharp_dual_value(a, radius)
        down, up = self.displacement_bounds
        step = (a < -dual_value[:, None]) * up - (a > dual_value[:, None]) * down
        spent = np.abs(step).sum(axis=1)
        step *= np.minimum(1.0, self.ball.radius / np.maximum(spent, 1e-300))[:, None]
        return self._outward(a, c, self._fall_l1(a, radius, dual_value)), self.ball.centre + step

    @cached_property
    def _centred(self) -> Array:
        """The middle of the L-infinity ball; the centre of another."""
        linf = self.ball.norm is Norm.LINF
        return self.ball.centre + self._middle if linf else self.ball.centre

    def minimum_under_cut(
        self,
        a: Array,
        c: Array,
        cuts: tuple[Array, Array],
        which: NDArray[np.int64],
        steps: int,
    ) -> Array:
        """A lower bound on ``min a . x + c`` over the x of the ball with ``cut . x + offset <= 0``.

        ``cuts``: all cuts (cuts, inputs) and their levels (cuts,); ``which`` (forms,): the one that
        holds for each form. By Lagrange: for every dual value p >= 0 the least value of ``(a + p
        cut) . x + c + p offset`` is such a bound. ``steps`` bisections look for the dual value at
        which the minimiser meets the cut with equality.
        """
        cut, offset = cuts
        sizes = np.abs(cut) @ self.centre_size, np.abs(offset) + SMALL
        underflown = SMALL * (2.0 + float(self.centre_size.sum()))
        search = _CutSearch(self, *cuts, a)
        best = np.empty(c.shape)
        for at in self._blocks(c.size):
            of = which[at]
            dual_value = search.run(a[at], of, steps)
            form = cut[of]
            form *= dual_value[:, None]
            form += a[at]
            # What an entry of the sum loses is at most so many units of itself, for which
            # _outward provides, and of the term added.
            lost = gamma(8) * dual_value * (sizes[0][of] + sizes[1][of]) + underflown
            least = self._minimum(form, c[at] + dual_value * offset[of], None, False) - lost
            best[at] = np.where(np.isnan(least), -np.inf, least)  # an overflow proves nothing
        return best

    def _blocks(self, forms: int) -> Iterator[slice]:
        size = max(1, BLOCK // self.ball.centre.size)
        return (slice(start, start + size) for start in range(0, forms, size))

    def _outward(self, a: Array, c: Array, fall: Array, size: Array | None = None) -> Array:
        """``size``: ``abs(a) @ (2 centre_size)``, where it is known."""
        size = np.abs(a) @ (2.0 * self.centre_size) if size is None else size
        value = a @ self.ball.centre + c - fall
        value -= gamma(2 * a.shape[-1] + 8) * (size + np.abs(c))
        occupied = size != 0.0  # a form that is 0 everywhere has exactly its constant as value
        if not occupied.all():
            occupied[~occupied] = a[~occupied].any(axis=-1)
        value -= SMALL * occupied
        # Overflow proves nothing: a NaN would slip through every comparison.
        return np.asarray(np.where(np.isnan(value), -np.inf, value))

    def _fall_l1(self, a: Array, radius: Array, dual_value: Array) -> Array:
        """``max -a . d`` over the L1 ball around 0, by its dual at ``dual_value``."""
        down, up = self.displacement_bounds
        gain = np.maximum(-a - dual_value[:, None], 0.0) @ up
        gain += np.maximum(a - dual_value[:, None], 0.0) @ down
        return np.asarray((dual_value * radius + gain) * (1.0 + gamma(a.shape[1])))

    @cached_property
    def _items(self) -> _Items:
        """The items of the knapsack of the L1 ball."""
        down, up = self.displacement_bounds
        rises, falls = np.flatnonzero(up > 0.0), np.flatnonzero(down > 0.0)
        return _Items(
            np.concatenate([rises, falls]),
            np.repeat(np.array([-1.0, 1.0], np.float32), [rises.size, falls.size]),
            np.concatenate([up[rises], down[falls]]).astype(np.float32),
        )

    @cached_property
    def _spread(self) -> NDArray[np.int64]:
        """Inputs that stand for all of them."""
        count = self.ball.centre.size
        if count <= 2 * SAMPLE:
            return np.arange(count)
        return np.linspace(0.0, count - 1.0, SAMPLE).astype(np.int64)

    def _dual_value(self, a: Array, radius: Array) -> Array:
        """About the knapsack's best dual value, by form; any dual value >= 0 is valid."""
        a, scale = _moderate(a)
        items = self._items.largest(a)
        return scale * items.dual_value(items.gains(a), radius, DUAL_STEPS).astype(np.float64)

    def _sharp_dual_value(self, a: Array, radius: Array) -> Array:
        """The same, moved onto the gain of the item that no longer fits: the exact optimum."""
        moderate, scale = _moderate(a)
        gains = self._items.gains(moderate)
        dual_value = scale * self._items.dual_value(gains, radius, SHARP_STEPS).astype(np.float64)
        gain = np.abs(a)
        gain *= gain <= dual_value[:, None] * (1.0 + 1e-6)  # the dual value is of single precision
        return np.asarray(gain.max(axis=1, initial=0.0))

    def radius_of(self, a: Array, c: Array) -> Array:
        """A radius, at most the ball's, up to which ``a . x + c > 0`` is proved: (forms,).

        0 where nothing is proved. The least value is convex and decreasing in the radius, so a
        Newton step from a proved radius never passes the root; each step is checked all the same.
        """
        limit = self.ball.radius
        proved = np.where(self.minimum(a, c, sharp=True) > 0.0, limit, 0.0)
        value = self.minimum(a, c, np.zeros(c.shape), sharp=True)
        todo = np.flatnonzero((proved < limit) & (value > 0.0))
        # Dual values in single precision may overstep a little.
        shorten = np.full(c.shape, 1.0 - 1e-6)
        for _ in range(RADIUS_STEPS):
            if todo.size == 0:
                break
            at = proved[todo]
            step = shorten[todo] * value[todo] / np.maximum(self._slope(a[todo], at), 1e-300)
            guess = np.minimum(at + step, limit)
            new = self.minimum(a[todo], c[todo], guess, sharp=True)
            held = new > 0.0
            proved[todo[held]], value[todo[held]] = guess[held], new[held]
            shorten[todo[~held]] *= 0.5
            todo = todo[(guess < limit) & (guess - at > 1e-7 * limit)]
        return proved

    def _slope(self, a: Array, radius: Array) -> Array:
        """How fast the least value falls with the radius, just beyond ``radius``; (forms,)."""
        if self.ball.norm is Norm.L1:
            # Not less than the true slope in spite of single precision: else steps overshoot.
            moderate, scale = _moderate(a)
            gains = self._items.gains(moderate)
            dual_value = self._items.dual_value(gains, radius * (1.0 + 1e-6), DUAL_STEPS)
            return scale * dual_value.astype(np.float64) * (1.0 + 2.0**-20)
        down, up = self.displacement_bounds
        free = np.where(a > 0.0, down, up) > radius[:, None]
        return np.asarray(np.einsum("ni,ni->n", np.abs(a), free))


def _moderate(forms: Array) -> tuple[Array, Array]:
    """``forms`` and a factor a form by which they were divided: what single precision can hold."""
    largest = np.abs(forms).max(axis=1, initial=0.0)
    if ((largest < MODERATE) & ((largest > 1.0 / MODERATE) | (largest == 0.0))).all():
        return forms, np.ones(largest.shape)
    scale = np.where((largest > 0.0) & np.isfinite(largest), largest, 1.0)
    return forms / scale[:, None], scale


@dataclass(frozen=True, eq=False)
class _Items:
    """The items of a knapsack, in single precision: input ``inputs[k]`` may move by up to
    ``displacement_bounds[k]``, down where ``sign[k]`` is 1 and up where it is -1: an image's
    background, which moves one way only, is one item a pixel."""

    inputs: NDArray[np.int64]
    sign: Single
    displacement_bounds: Single

    @cached_property
    def _distinct(self) -> int:
        return int(np.unique(self.inputs).size)

    def gains(self, forms: Array) -> Single:
        """By how much a form falls as an item is taken: (forms, items)."""
        return np.asarray(forms[:, self.inputs].astype(np.float32) * self.sign)

    def largest(self, *groups: Array) -> _Items:
        """The items with the largest gains over all forms of all ``groups``, a form's largest
        being 1; as many an input as there are."""
        count = SAMPLE * self.inputs.size // max(self._distinct, 1)
        if self.inputs.size <= 2 * count:
            return self
        rows = np.concatenate([forms[:: 1 + len(forms) // JUDGES] for forms in groups])
        gains = np.maximum(self.gains(rows), 0.0)
        gains /= np.maximum(gains.max(axis=1, keepdims=True), 1e-30)
        best = np.argpartition(-(gains**2).sum(axis=0), count)[:count]
        return _Items(self.inputs[best], self.sign[best], self.displacement_bounds[best])

    def dual_value(self, gains: Single, radius: Array, steps: int) -> Single:
        """About the best dual value, by row of ``gains``: what is taken at it fits."""
        high = gains.max(axis=1, initial=0.0)
        low, dual_value = np.zeros_like(high), 0.25 * high
        for _ in range(steps):
            taken = (gains > dual_value[:, None]).astype(np.float32)  # a product of BLAS, as floats
            over = taken @ self.displacement_bounds > radius
            low, high = np.where(over, dual_value, low), np.where(over, high, dual_value)
            dual_value = 0.5 * (low + high)
        return np.asarray(high)


class _CutSearch:
    """Dual values of a cut, by form, by bisection in single precision and on a sample of the
    inputs.

    For L-infinity every input moves, and any few stand for all; for L1 only those of the largest
    gain do, and they are much the same for all forms.
    """

    def __init__(self, concretiser: Concretiser, cut: Array, offset: Array, forms: Array) -> None:
        self.radius = concretiser.ball.radius
        self.at_middle = offset + cut @ concretiser._centred
        if concretiser.ball.norm is Norm.LINF:
            sample = concretiser._spread
            share = cut.shape[1] / max(sample.size, 1)
            displacement_bounds = (concretiser._half[sample] * share).astype(np.float32)
            self.items = _Items(sample, np.ones(sample.size, np.float32), displacement_bounds)
            self.violation = self._violation_linf
        else:
            self.items = concretiser._items.largest(cut, forms)
            self.violation = self._violation_l1
        self.cuts = self.items.gains(cut)

    def run(self, forms: Array, which: NDArray[np.int64], steps: int) -> Array:
        """The dual value found for each form, of cut ``which``: 0 where the cut does not bind."""
        dual_value = np.zeros(which.size)
        a, cut, base = self.items.gains(forms), self.cuts[which], self.at_middle[which]
        moved = cut * self.items.displacement_bounds
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

    def _violation_linf(self, mixed: Single, base: Array, moved: Single) -> Array:
        """By how much the minimisers of the ``mixed`` forms violate the cut."""
        return np.asarray(base - np.einsum("ni,ni->n", np.sign(mixed), moved))

    def _violation_l1(self, mixed: Single, base: Array, moved: Single) -> Array:
        dual_value = self.items.dual_value(mixed, np.full(base.size, self.radius), DUAL_STEPS)
        taken = (mixed > dual_value[:, None]).astype(np.float32)
        return np.asarray(base - np.einsum("ni,ni->n", taken, moved))
