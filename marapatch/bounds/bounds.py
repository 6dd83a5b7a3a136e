"""Bounds on every pre-activation over a ball, with the scope in which they hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError, ScopeError
from marapatch.network.layers import Array, freeze
from marapatch.problem.ball import Ball


@dataclass(frozen=True, eq=False)
class Bounds:
    """``lower[k] <= z_{k+1} <= upper[k]`` for every input of ``ball``: rigorous, outward-rounded.

    One pair of arrays a ReLU layer of the standard form. ``output``: the pair for the outputs.
    Raises InputError where one is not finite.
    """

    ball: Ball
    lower: tuple[Array, ...]
    upper: tuple[Array, ...]
    output: tuple[Array, Array]

    def __post_init__(self) -> None:
        for name in ("lower", "upper"):
            if not all(np.isfinite(array).all() for array in getattr(self, name)):
                raise InputError(
                    "the values of the network's neurons over the box overflow float64: give a "
                    "smaller --box, or rescale the weights"
                )
            arrays = tuple(freeze(a, f"{name} bounds") for a in getattr(self, name))
            object.__setattr__(self, name, arrays)

    def require(self, ball: Ball) -> None:
        """Raise :class:`ScopeError` unless these bounds hold on ``ball``."""
        mine = self.ball
        # What holds on a set holds on its parts: a smaller radius or box will do. A ball around
        # another centre is no part of this one, however near the two are.
        same = (
            ball.norm is mine.norm
            and np.array_equal(ball.centre, mine.centre)
            and bool((ball.lower >= mine.lower).all() and (ball.upper <= mine.upper).all())
        )
        if not same or ball.radius > mine.radius:
            raise ScopeError(
                f"bounds computed for radius {mine.radius} ({mine.norm.value}) were used for "
                f"radius {ball.radius} ({ball.norm.value})"
                + ("" if same else " around another input or in a larger box")
            )

    @property
    def unstable(self) -> tuple[NDArray[np.bool_], ...]:
        """Per layer, which neurons can be on either side of 0."""
        # An end that is 0 counts as stable, as in ``relax``: ReLU is linear on that side.
        pairs = zip(self.lower, self.upper, strict=True)
        return tuple((low < 0.0) & (up > 0.0) for low, up in pairs)
