"""The nearest success of every input is kept, and every pass is counted."""

from __future__ import annotations

from time import monotonic

import numpy as np
import pytest
from attack_problems import DISTANCES, check, random_problem

from marapatch.problem.norm import Norm
from marapatch.witnesses.attacks.tracker import OutOfTimeError, Tracker, predicted_radius


@DISTANCES
def test_the_nearest_success_is_kept(distance: Norm) -> None:
    problem, rng = random_problem(3, distance), np.random.default_rng(0)
    tracker = Tracker(problem, np.arange(len(problem)))
    seen = np.full(len(problem), np.inf)
    for _ in range(200):
        points = rng.uniform(problem.lower, problem.upper)
        snapped, margins = tracker.margins(points)
        far = problem.distances(snapped)
        seen = np.where(margins > 0.0, np.minimum(seen, far), seen)
    result = tracker.result()
    check(problem, result)
    assert result.success.any()
    assert (np.isfinite(seen) == result.success).all()
    assert result.distances[result.success] == pytest.approx(seen[result.success], rel=1e-9)
    assert (result.gradients, result.evaluations) == (0.0, 200.0)


def test_the_slope_is_that_of_the_margin() -> None:
    problem, rng = random_problem(4, Norm.LINF), np.random.default_rng(1)
    problem = type(problem)(
        problem.form, problem.centres, -5.0, 5.0, problem.objective, dtype=np.dtype(np.float64)
    )
    tracker = Tracker(problem, np.arange(len(problem)))
    points, margins, gradients = tracker.ascend(problem.centres)
    step = 1e-7 * rng.normal(size=points.shape)
    _, after = tracker.margins(points + step)
    assert after - margins == pytest.approx((gradients * step).sum(axis=1), abs=1e-11)
    assert tracker.result().gradients == 1.0


def test_out_of_time_no_point_is_evaluated() -> None:
    problem = random_problem(4, Norm.L1)
    tracker = Tracker(problem, np.arange(len(problem)), monotonic())
    assert tracker.expired
    with pytest.raises(OutOfTimeError):
        tracker.margins(problem.centres)
    with pytest.raises(OutOfTimeError):
        tracker.ascend(problem.centres)


@DISTANCES
def test_the_linear_model_says_how_far_a_zero_margin_is(distance: Norm) -> None:
    problem = random_problem(5, distance)
    gradients = np.ones((5, 8))
    dual = {Norm.LINF: 8.0, Norm.L1: 1.0, Norm.L2: np.sqrt(8.0)}[distance]
    found = predicted_radius(problem, np.full(5, -0.01), gradients)
    assert found == pytest.approx(np.minimum(0.01 / dual, problem.farthest))
    flat = predicted_radius(problem, np.full(5, -0.01), np.zeros((5, 8)))
    assert flat == pytest.approx(0.01 * problem.farthest)
