"""First witnesses of patches, and what is kept of a search that was interrupted."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from marapatch.network.graph import dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question
from marapatch.witnesses.first_witness import nearest_l1


def test_the_nearest_points_of_the_l1_ball() -> None:
    """No other point of the ball is nearer; what is inside stays."""
    rng = np.random.default_rng(1)
    size = 7
    ball = Ball(np.zeros(size), np.full(size, -inf), np.full(size, inf), Norm.L1, inf)
    net = dense_network([np.eye(size)], [np.zeros(size)])
    condition = OutputCondition(np.eye(size), np.zeros(size))
    question = Question(net.standard_form, ball, condition, lambda _: None)
    points = rng.normal(size=(5, size))
    found = nearest_l1(question, points, 1.5)
    assert np.abs(found).sum(axis=1) == pytest.approx(np.full(5, 1.5))
    assert (found == 0.0).any()
    others = rng.normal(size=(20_000, size))
    others *= 1.5 * rng.uniform(size=(20_000, 1)) / np.abs(others).sum(axis=1, keepdims=True)
    for point, nearest in zip(points, found, strict=True):
        least = np.linalg.norm(others - point, axis=1).min()
        assert np.linalg.norm(nearest - point) <= least
        # the nearest point makes an obtuse angle with every other one
        assert ((others - nearest) @ (point - nearest)).max() <= 1e-9
    inside = found * 0.5
    assert nearest_l1(question, inside, 1.5) == pytest.approx(inside)
