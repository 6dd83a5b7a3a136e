"""The set of inputs a question ranges over: a norm ball around an input, within a box."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

import numpy as np

from marapatch.errors import InputError
from marapatch.network.layers import Array, freeze
from marapatch.problem.norm import PROVED, Norm


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
        if self.norm not in PROVED:
            raise InputError(f"norm {self.norm.value}: only attacks measure in it; give linf or l1")
        if not self.radius >= 0.0:
            raise InputError(f"the radius must be at least 0, not {self.radius}")

    @staticmethod
    def of_box(centre: Array, lower: Array, upper: Array) -> Ball:
        """The whole of a box, for questions in which no distance counts."""
        return Ball(centre, lower, upper, Norm.LINF, inf)

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
