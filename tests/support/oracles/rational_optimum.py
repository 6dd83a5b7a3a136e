"""The exact distance from an image to the nearest input that a network decides otherwise.

Every linear piece of the network within the box is visited, cut so fine that the norm is linear on
it too, so that the least distance is at a vertex: rational arithmetic from the file's numbers to
the answer, and no code shared with marapatch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from rational_cells import Cell, Form, Point
from rational_onnx import RationalNetwork


@dataclass(frozen=True)
class ExactQuestion:
    """Which inputs of the box are decided as one of ``targets``, and how far is the nearest?

    ``least``: whether the smallest output decides (else the largest); ``norm``: "linf" or "l1";
    ``margin``: by how much a target has to lead.
    """

    network: RationalNetwork
    centre: Point
    lower: Point
    upper: Point
    norm: str
    least: bool = False
    margin: Fraction = Fraction(0)

    def scores(self, point: Sequence[Fraction]) -> list[Fraction]:
        """The outputs, turned over where the smallest decides."""
        return [-y if self.least else y for y in self.network.evaluate(point)]

    def decided(self, point: Sequence[Fraction]) -> int:
        """The class of a point: the first of those with the best output."""
        scores = self.scores(point)
        return scores.index(max(scores))

    def meets(self, target: int, point: Sequence[Fraction]) -> bool:
        """Whether ``target`` leads by the margin; without one, whether the decision is target."""
        if self.margin == 0:
            return self.decided(point) == target
        scores = self.scores(point)
        rivals = [score for k, score in enumerate(scores) if k != target]
        return all(scores[target] - score >= self.margin for score in rivals)

    def inside(self, point: Sequence[Fraction]) -> bool:
        """Whether the point lies in the box."""
        return all(
            low <= x <= high for low, x, high in zip(self.lower, point, self.upper, strict=True)
        )

    def distance(self, point: Sequence[Fraction]) -> Fraction:
        """How far the point is from the centre."""
        sizes = [abs(x - c) for x, c in zip(point, self.centre, strict=True)]
        return max(sizes) if self.norm == "linf" else sum(sizes, Fraction(0))

    def optima(self, targets: Sequence[int]) -> dict[int, Fraction | None]:
        """For each target the least distance at which it leads by the margin or ties.

        The closed condition: the infimum over strict leads is never less. None: nowhere.
        """
        best: dict[int, Fraction | None] = dict.fromkeys(targets)
        for whole in self._linear_cells():
            for cell, outputs in self.network.pieces(whole):
                reached = min(self.distance(point) for point, _ in cell.vertices)
                scores = [tuple(-c for c in y) if self.least else y for y in outputs]
                for target in targets:
                    known = best[target]
                    if known is not None and reached >= known:
                        continue
                    part = self._led(cell, scores, target)
                    if part is not None:
                        found = min(self.distance(point) for point, _ in part.vertices)
                        best[target] = found if known is None else min(found, known)
        return best

    def _led(self, cell: Cell, scores: Sequence[Form], target: int) -> Cell | None:
        part: Cell | None = cell
        for k, score in enumerate(scores):
            if k != target and part is not None:
                lead = [a - b for a, b in zip(scores[target], score, strict=True)]
                part = part.above((*lead[:-1], lead[-1] - self.margin))
        return part

    def _linear_cells(self) -> Iterator[Cell]:
        """The box, cut where the norm of the change has its kinks."""
        cells = [Cell.box(self.lower, self.upper)]
        for form in self._kinks():
            cells = [half for cell in cells for half in cell.halves(form)]
        yield from cells

    def _kinks(self) -> Iterator[Form]:
        n = len(self.centre)
        units = [tuple(Fraction(int(i == k)) for k in range(n)) for i in range(n)]
        changes = [(*unit, -c) for unit, c in zip(units, self.centre, strict=True)]
        if self.norm == "l1" or n == 1:
            yield from changes
            return
        for a, b in combinations(changes, 2):
            yield tuple(x - y for x, y in zip(a, b, strict=True))
            yield tuple(x + y for x, y in zip(a, b, strict=True))
