"""Questions over a few of many entries: their witnesses are witnesses of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from centred_questions import centred

from marapatch.witnesses.restriction import lifted, restricted


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
