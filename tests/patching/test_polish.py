"""A polished witness of many entries: no farther, and a witness."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from centred_questions import centred

from marapatch.patching import polish
from marapatch.patching.polish import polish_few


def test_a_polished_witness_is_no_farther_and_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polish, "FEW", (1, 2))
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
