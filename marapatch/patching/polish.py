"""Polish where there are too many variables for linear programs: on the largest few alone."""

from __future__ import annotations

from time import monotonic

import numpy as np

from marapatch.problem.question import Question
from marapatch.problem.verdict import Replayed
from marapatch.witnesses.first_witness import GRADIENT_STEPS, ascent, direction, projected, shrink
from marapatch.witnesses.polish import polish
from marapatch.witnesses.restriction import lifted, restricted

FEW = (300, 1000)
"""How many of the largest entries are polished where there are too many for all."""


def polish_few(question: Question, witness: Replayed, deadline: float) -> Replayed:
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
