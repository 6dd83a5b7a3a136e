"""Questions whose ball is around 0, as those of patches are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from small_networks import small_case

from marapatch.problem.question import Question


def centred(seed: int) -> Question:
    """A question whose ball is around 0, as those of patches are."""
    question = small_case(seed, ("plain",)).question
    ball = question.ball
    layer = question.form.hidden[0]
    moved = replace(layer, bias=layer.bias + layer.weights[0] @ ball.centre)
    zero = replace(
        ball,
        centre=np.zeros(ball.centre.size),
        lower=ball.lower - ball.centre,
        upper=ball.upper - ball.centre,
    )

    def replay(claimed: np.ndarray):
        found = question.replay(claimed + ball.centre)
        return None if found is None else replace(found, input=found.input - ball.centre)

    form = replace(question.form, hidden=(moved, *question.form.hidden[1:]))
    return Question(form, zero, question.condition, replay)
