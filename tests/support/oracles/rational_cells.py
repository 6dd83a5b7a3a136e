"""Convex cells in exact rational arithmetic: cut by hyperplanes, vertex by vertex.

Shares no code with marapatch. A cell is the convex hull of its vertices; each vertex knows which
of the cuts made so far pass through it, so that two vertices are known to span an edge without any
linear algebra (the combinatorial test of the double description method: no third vertex lies on
every cut that both lie on). Cheap in up to three dimensions, which is all that is asked of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

Point = tuple[Fraction, ...]

Form = tuple[Fraction, ...]
"""An affine form over n coordinates: n coefficients, then the constant."""


def value(form: Form, point: Point) -> Fraction:
    """The affine form at a point."""
    total = form[-1]
    for coefficient, coordinate in zip(form, point, strict=False):
        if coefficient:
            total += coefficient * coordinate
    return total


@dataclass(frozen=True)
class Cell:
    """A bounded convex polytope; it may be flat, down to a single point.

    ``vertices``: points with a bit set of the hyperplanes through them; ``cuts``: how many
    hyperplanes have been counted.
    """

    vertices: tuple[tuple[Point, int], ...]
    cuts: int

    @staticmethod
    def box(lower: Sequence[Fraction], upper: Sequence[Fraction]) -> Cell:
        """The points between ``lower`` and ``upper``; a coordinate may be fixed."""
        ends = [
            ((low, 3 << 2 * i),) if low == high else ((low, 1 << 2 * i), (high, 2 << 2 * i))
            for i, (low, high) in enumerate(zip(lower, upper, strict=True))
        ]
        vertices = tuple(
            (tuple(coordinate for coordinate, _ in corner), sum(bit for _, bit in corner))
            for corner in product(*ends)
        )
        return Cell(vertices, 2 * len(ends))

    @staticmethod
    def point(coordinates: Sequence[Fraction]) -> Cell:
        """A single point."""
        return Cell(((tuple(coordinates), 0),), 0)

    def sign(self, form: Form) -> int:
        """1 where the form is nowhere negative, else -1 where nowhere positive, else 0."""
        values = [value(form, point) for point, _ in self.vertices]
        if min(values) >= 0:
            return 1
        return -1 if max(values) <= 0 else 0

    def above(self, form: Form) -> Cell | None:
        """The part where the form is at least 0; None where that is empty."""
        values = [value(form, point) for point, _ in self.vertices]
        if min(values) >= 0:
            return self
        if max(values) < 0:
            return None
        return self._above(values)

    def halves(self, form: Form) -> tuple[Cell, ...]:
        """The parts on either side of the form's zeros: two, or the cell itself."""
        values = [value(form, point) for point, _ in self.vertices]
        if min(values) >= 0 or max(values) <= 0:
            return (self,)
        return self._above(values), self._above([-v for v in values])

    def _above(self, values: Sequence[Fraction]) -> Cell:
        bit = 1 << self.cuts
        kept = [
            (point, tight | bit if v == 0 else tight)
            for (point, tight), v in zip(self.vertices, values, strict=True)
            if v >= 0
        ]
        for i, (inner, tight_inner) in enumerate(self.vertices):
            if values[i] <= 0:
                continue
            for k, (outer, tight_outer) in enumerate(self.vertices):
                common = tight_inner & tight_outer
                if values[k] < 0 and not any(
                    tight & common == common
                    for m, (_, tight) in enumerate(self.vertices)
                    if m not in (i, k)
                ):
                    share = values[i] / (values[i] - values[k])
                    crossing = tuple(
                        a if a == b else a + share * (b - a)
                        for a, b in zip(inner, outer, strict=True)
                    )
                    kept.append((crossing, common | bit))
        return Cell(tuple(kept), self.cuts + 1)
