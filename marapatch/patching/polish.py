"""Polish where there are too many variables for linear programs: on the largest few alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.layers import Array, Matrix
from marapatch.problem.question import Question
from marapatch.problem.verdict import Witness
from marapatch.witnesses.first_witness import GRADIENT_STEPS, ascent, direction, projected, shrink
from marapatch.witnesses.polish import polish

FEW = (300, 1000)
"""How many of the largest entries are polished where there are too many for all."""


def restricted(question: Question, columns: NDArray[np.int64]) -> Question:
    """The question with all entries but ``columns`` left at 0: its witnesses are witnesses."""
    form, ball = question.form, question.ball
    maps = [_columns(layer, columns) for layer in (*form.hidden, form.output)]
    small = StandardForm(columns.size, tuple(maps[:-1]), maps[-1])
    part = replace(
        ball,
        centre=ball.centre[columns],
        lower=ball.lower[columns],
        upper=ball.upper[columns],
    )

    def replay(claimed: Array) -> Witness | None:
        found = question.replay(lifted(claimed, columns, form.inputs))
        return None if found is None else replace(found, input=found.input[columns])

    return Question(small, part, question.condition, replay)


def lifted(vector: Array, columns: NDArray[np.int64], size: int) -> Array:
    """A vector over ``columns`` as one of ``size`` entries, 0 elsewhere."""
    whole = np.zeros(size)
    whole[columns] = vector
    return whole


def _columns(layer: AffineMap, columns: NDArray[np.int64]) -> AffineMap:
    if 0 not in layer.sources:
        return layer
    at = layer.sources.index(0)

    def cut(matrices: Sequence[Matrix | None]) -> tuple[Matrix | None, ...]:
        return tuple(
            sp.csr_array(sp.csc_array(m)[:, columns]) if k == at and m is not None else m
            for k, m in enumerate(matrices)
        )

    return replace(layer, weights=cut(layer.weights), weight_errors=cut(layer.weight_errors))


def polish_few(question: Question, witness: Witness, deadline: float) -> Witness:
    """:func:`marapatch.witnesses.polish.polish` on the largest entries of a witness alone, for
    questions of too many entries; the witness itself where these do not suffice."""
    size = np.abs(witness.input)
    order = np.argsort(-size, kind="stable")
    for count in FEW:
        columns = np.sort(order[:count])
        question_here = restricted(question, columns)
        points = witness.input[columns].astype(np.float64)[None]
        for _ in range(GRADIENT_STEPS):
            worst, gradient = ascent(question_here, points)
            if worst[0] > 0.0 or monotonic() >= deadline:
                break
            step = 0.02 * witness.distance * direction(question_here, gradient)
            points = projected(question_here, points + step, witness.distance)
        if worst[0] <= 0.0:
            continue
        start = question_here.replay(points[0])
        if start is None:
            continue
        start = shrink(question_here, start, deadline)
        polished = polish(question_here, start, deadline)
        claim = lifted(polished.input.astype(np.float64), columns, size.size)
        found = question.replay(claim)
        if found is not None and found.distance < witness.distance:
            return found
    return witness
