"""Questions over a few of many entries: their witnesses are witnesses of the whole."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from small_networks import small_case

from marapatch.patching import reducing
from marapatch.patching.reducing import lifted, polish_few, restricted
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


def test_entries_that_are_left_out_stay_at_zero() -> None:
    columns = np.array([0, 2])
    assert lifted(np.array([3.0, 4.0]), columns, 4).tolist() == [3.0, 0.0, 4.0, 0.0]


@pytest.mark.parametrize("seed", range(4))
def test_the_form_over_a_few_entries_is_the_whole_form_there(seed: int) -> None:
    question = centred(seed)
    size = question.form.inputs
    columns = np.arange(0, size, 2)
    small = restricted(question, columns)
    points = np.random.default_rng(seed).normal(size=(10, columns.size))
    whole = np.array([lifted(point, columns, size) for point in points])
    assert small.form.evaluate(points) == pytest.approx(question.form.evaluate(whole), abs=1e-12)
    assert small.ball.centre.size == columns.size


def test_a_polished_witness_is_no_farther_and_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reducing, "FEW", (1, 2))
    nearer = 0
    for seed in range(12):
        question = centred(seed)
        rng = np.random.default_rng(seed)
        ball = question.ball
        points = rng.uniform(ball.lower, ball.upper, (400, ball.centre.size))
        witnesses = [w for p in points if (w := question.replay(p)) is not None]
        if not witnesses:
            continue
        found = polish_few(question, witnesses[0], inf)
        again = question.replay(found.input.astype(np.float64))
        assert again is not None
        assert found.distance <= witnesses[0].distance
        nearer += found.distance < witnesses[0].distance
    assert nearer >= 3
