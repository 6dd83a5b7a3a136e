"""A question with all entries but some left at 0: few enough of them for linear programs.

Shapes: I inputs of the whole question, C of them kept; ``columns`` (C,), a lifted vector (I,).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.layers import Array, Matrix
from marapatch.problem.question import Question
from marapatch.problem.verdict import Replayed

Columns = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RestrictedPoint:
    """The entries ``input`` of a point, all others of which do not move; ``whole``: as it was
    replayed, to which every other field belongs."""

    input: NDArray[np.floating]
    whole: Replayed

    @property
    def distance(self) -> float:
        """Of the whole point: what does not move adds nothing."""
        return self.whole.distance

    @property
    def margin(self) -> float:
        """Of the whole point."""
        return self.whole.margin

    @property
    def outputs(self) -> Array:
        """At the whole point."""
        return self.whole.outputs

    @property
    def confirmed(self) -> bool | None:
        """Of the whole point."""
        return self.whole.confirmed


def restricted(question: Question, columns: Columns) -> Question:
    """The question with all entries but ``columns`` left at 0: its witnesses are witnesses."""
    form, ball = question.form, question.ball
    # An entry held at 0 adds nothing to any row: without its column the form says the same, and its
    # errors stay bounds. Maps that do not read the input stay as they are.
    maps = [_columns(layer, columns) for layer in (*form.hidden, form.output)]
    small = StandardForm(columns.size, tuple(maps[:-1]), maps[-1])
    # What does not move adds nothing to a norm either, so radius and distances are those of the
    # whole question.
    part = replace(
        ball,
        centre=ball.centre[columns],
        lower=ball.lower[columns],
        upper=ball.upper[columns],
    )

    def replay(claimed: Array) -> Replayed | None:
        # Judged as a point of the whole question: nothing rests on the smaller form.
        found = question.replay(lifted(claimed, columns, form.inputs))
        return None if found is None else RestrictedPoint(found.input[columns], found)

    return Question(small, part, question.condition, replay)


def lifted(vector: NDArray[np.floating], columns: Columns, size: int) -> Array:
    """A vector over ``columns`` as one of ``size`` entries, 0 elsewhere."""
    whole = np.zeros(size)
    whole[columns] = vector
    return whole


def _columns(layer: AffineMap, columns: Columns) -> AffineMap:
    if 0 not in layer.sources:
        return layer
    at = layer.sources.index(0)

    def cut(matrices: Sequence[Matrix | None]) -> tuple[Matrix | None, ...]:
        # Taken by columns, hence csc; an error of None (exact) stays None, since a part of what is
        # exact is exact.
        return tuple(
            sp.csr_array(sp.csc_array(m)[:, columns]) if k == at and m is not None else m
            for k, m in enumerate(matrices)
        )

    return replace(layer, weights=cut(layer.weights), weight_errors=cut(layer.weight_errors))
