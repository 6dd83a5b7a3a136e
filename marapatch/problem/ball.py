"""The set of inputs a question ranges over: a norm ball around an input, within a box."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from math import inf

import numpy as np

from marapatch.errors import InputError
from marapatch.network.layers import Array, freeze


class Norm(Enum):
    """The norm in which a distance is measured."""

    LINF = "linf"
    L1 = "l1"

    def distance(self, difference: Array) -> float:
        """The norm of ``difference`` in float64, rounded up so that it is never understated."""
        size = np.abs(difference)
        if self is Norm.LINF or not size.any():
            return float(size.max(initial=0.0))
        return float(np.nextafter(size.sum() * (1.0 + (size.size + 2) * 2.0**-52), inf))

    def between(self, x: Array, y: Array) -> float:
        """The distance between two float64 vectors, never less than the true one.

        Entries whose difference float64 cannot hold are rounded away from 0: the error of a
        difference is itself a float64 number (Knuth, "The Art of Computer Programming", 4.2.2,
        theorem B), so it is known which these are.
        """
        difference = x - y
        back = x - difference
        error = (x - (difference + back)) + (back - y)
        short = np.sign(error) * np.sign(difference) > 0.0
        further = np.nextafter(difference, np.copysign(inf, difference))
        return self.distance(np.where(short, further, difference))


@dataclass(frozen=True, eq=False)
class Ball:
    """``{x : norm(x - centre) <= radius, lower <= x <= upper}``.

    ``centre``, ``lower``, ``upper``: float64 of shape (inputs,), the centre inside the box; an
    entry that must not change has ``lower == upper``. ``radius >= 0``.
    """

    centre: Array
    lower: Array
    upper: Array
    norm: Norm
    radius: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", freeze(self.centre, "centre"))
        for name in ("lower", "upper"):
            array = np.array(np.broadcast_to(getattr(self, name), self.centre.shape), float)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if not ((self.lower <= self.centre) & (self.centre <= self.upper)).all():
            raise InputError("the centre of the ball lies outside the box")
        if not self.radius >= 0.0:
            raise InputError(f"the radius must be at least 0, not {self.radius}")

    def with_radius(self, radius: float) -> Ball:
        """The same ball with another radius."""
        return replace(self, radius=radius)

    @property
    def displacement_bounds(self) -> tuple[Array, Array]:
        """How far each entry can go down and up: two arrays >= 0 of shape (inputs,), rounded up."""
        return (
            np.minimum(_rounded_up(self.centre - self.lower), self.radius),
            np.minimum(_rounded_up(self.upper - self.centre), self.radius),
        )

    @property
    def covering_radius(self) -> float:
        """A radius at which the ball is the whole box: infinite where the box is."""
        down, up = replace(self, radius=inf).displacement_bounds
        return self.norm.distance(np.maximum(down, up))

    @property
    def enclosing_box(self) -> tuple[Array, Array]:
        """The smallest box around the set, rounded outward."""
        down, up = self.displacement_bounds
        low = np.maximum(self.lower, np.nextafter(self.centre - down, -inf))
        high = np.minimum(self.upper, np.nextafter(self.centre + up, inf))
        return low, high


def _rounded_up(difference: Array) -> Array:
    """An upper bound on the true difference; equal numbers differ by exactly 0."""
    return np.where(difference > 0.0, np.nextafter(difference, inf), 0.0)
