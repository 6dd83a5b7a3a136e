"""The least value of a linear form over a ball within a box, and the radius at which it is >= 0.

Shapes: F forms, I inputs, C cuts. A form is ``a . x + c`` with ``a`` (F, I) and ``c`` (F,).

What is searched for, a dual value say, is searched for in any precision, since every choice gives
a valid bound; what is returned is computed from it in float64 and rounded outward: it holds in
real arithmetic. Source: the dual norm, Boyd and Vandenberghe, "Convex Optimization", A.1.6; the
cut's Lagrange multiplier, section 5.1 there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from marapatch.arithmetic.float_model import SMALL, gamma
from marapatch.bounds.concretise.cut import CutSearch
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball

RADIUS_NEWTON_STEPS = 12
"""Newton steps at most towards the radius at which a form's least value is 0."""

CACHED_ENTRIES = 100_000
"""Entries of the forms that are handled at once: more would leave the processor's cache."""

FLOOR = 2.0**-900
"""Added to the size of every input: see :attr:`Concretiser.centre_size`."""


@dataclass(frozen=True, eq=False)
class Concretiser(ABC):
    """Linear forms ``a . x + c`` over one ball; ``a`` (F, I), ``c`` (F,). A norm is a subclass."""

    ball: Ball

    @abstractmethod
    def _minimum(self, a: Array, c: Array, radius: Array | None, sharp: bool) -> Array:
        """:meth:`minimum` of few forms."""

    @abstractmethod
    def minimum_and_minimiser(self, a: Array, c: Array) -> tuple[Array, Array]:
        """:meth:`minimum` over the ball, and points (F, I) about where it is taken."""

    @abstractmethod
    def _slope(self, a: Array, radius: Array) -> Array:
        """How fast the least value falls with the radius, just beyond ``radius``; (F,)."""

    @abstractmethod
    def cut_search(self, cut: Array, offset: Array, forms: Array) -> CutSearch:
        """What finds dual values of the cuts ``cut . x + offset <= 0`` for ``forms``."""

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

    def minimum(
        self, a: Array, c: Array, radius: Array | None = None, *, sharp: bool = False
    ) -> Array:
        """A lower bound on ``min a . x + c``: (F,).

        ``radius``: (F,), each at most the ball's; the ball's where None. ``sharp``: spend more on
        the last digits.
        """
        least = np.empty(c.shape)
        for at in self._blocks(c.size):
            least[at] = self._minimum(a[at], c[at], None if radius is None else radius[at], sharp)
        return least

    def minimum_under_cut(
        self,
        a: Array,
        c: Array,
        cuts: tuple[Array, Array],
        which: NDArray[np.int64],
        steps: int,
    ) -> Array:
        """A lower bound on ``min a . x + c`` over the x of the ball with ``cut . x + offset <= 0``.

        ``cuts``: all cuts (C, I) and their offsets (C,); ``which`` (F,): the one that holds for
        each form. ``steps`` bisections look for the dual value at which the minimiser meets the
        cut with equality.
        """
        cut, offset = cuts
        sizes = np.abs(cut) @ self.centre_size, np.abs(offset) + SMALL
        underflown = SMALL * (2.0 + float(self.centre_size.sum()))
        search = self.cut_search(*cuts, a)
        best = np.empty(c.shape)
        for at in self._blocks(c.size):
            of = which[at]
            # By Lagrange: where cut . x + offset <= 0, and for every p >= 0,
            # a . x + c >= (a + p cut) . x + c + p offset. So p needs no precision, only its sign.
            dual_value = search.run(a[at], of, steps)
            form = cut[of]
            form *= dual_value[:, None]
            form += a[at]
            # What an entry of the sum loses is at most so many units of itself, for which
            # _outward provides, and of the term added: |p cut_i| |x_i| at the most, and p |offset|.
            # What the products underflow by is not relative to anything: ``underflown``.
            lost = gamma(8) * dual_value * (sizes[0][of] + sizes[1][of]) + underflown
            least = self._minimum(form, c[at] + dual_value * offset[of], None, False) - lost
            best[at] = np.where(np.isnan(least), -np.inf, least)  # an overflow proves nothing
        return best

    def radius_of(self, a: Array, c: Array) -> Array:
        """A radius, at most the ball's, up to which ``a . x + c > 0`` is proved: (F,); 0 where
        nothing is proved."""
        # The least value is convex and decreasing in the radius, so that a Newton step from a
        # proved radius does not pass the root. Nothing rests on this: each step is bounded anew.
        limit = self.ball.radius
        proved = np.where(self.minimum(a, c, sharp=True) > 0.0, limit, 0.0)
        value = self.minimum(a, c, np.zeros(c.shape), sharp=True)
        todo = np.flatnonzero((proved < limit) & (value > 0.0))
        # Dual values in single precision may overstep a little.
        shorten = np.full(c.shape, 1.0 - 1e-6)
        for _ in range(RADIUS_NEWTON_STEPS):
            if todo.size == 0:
                break
            at = proved[todo]
            step = shorten[todo] * value[todo] / np.maximum(self._slope(a[todo], at), 1e-300)
            guess = np.minimum(at + step, limit)
            new = self.minimum(a[todo], c[todo], guess, sharp=True)
            good = new > 0.0
            proved[todo[good]], value[todo[good]] = guess[good], new[good]
            shorten[todo[~good]] *= 0.5
            todo = todo[(guess < limit) & (guess - at > 1e-7 * limit)]
        return proved

    def _blocks(self, forms: int) -> Iterator[slice]:
        size = max(1, CACHED_ENTRIES // self.ball.centre.size)
        return (slice(start, start + size) for start in range(0, forms, size))

    def _outward(self, a: Array, c: Array, fall: Array, size: Array | None = None) -> Array:
        """``a . centre + c - fall``, rounded down. ``fall``: by how much a form falls below its
        value at the centre; ``size``: ``abs(a) @ (2 centre_size)``, where it is known."""
        size = np.abs(a) @ (2.0 * self.centre_size) if size is None else size
        value = a @ self.ball.centre + c - fall
        # Three sums of I terms (a . centre, the fall, and what it is made of), each of terms whose
        # sizes add up to at most size / 2: |fl(s) - s| <= gamma(I) sum |terms| for every one.
        value -= gamma(2 * a.shape[-1] + 8) * (size + np.abs(c))
        occupied = size != 0.0  # a form that is 0 everywhere has exactly its constant as value
        if not occupied.all():
            occupied[~occupied] = a[~occupied].any(axis=-1)
        # Products that underflow lose up to 2^-1075 each, however small the rest is.
        value -= SMALL * occupied
        # Overflow proves nothing: a NaN would slip through every comparison.
        return np.asarray(np.where(np.isnan(value), -np.inf, value))
