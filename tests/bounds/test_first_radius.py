"""Radii that bounds alone prove, for many targets at once."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from small_networks import small_case

from marapatch.bounds import first_radius
from marapatch.bounds.bounds import Bounds
from marapatch.bounds.crown import linear_bounds
from marapatch.bounds.first_radius import first_radii
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.norm import PROVED, Norm


@pytest.mark.parametrize("norm", PROVED, ids=lambda norm: norm.value)
@pytest.mark.parametrize("seed", range(6))
def test_first_radii_are_below_every_witness(norm: Norm, seed: int) -> None:
    """And above 0 where the decision has any lead."""
    case = small_case(seed, ("plain",))
    form, ball = case.question.form, case.question.ball
    ball = ball.with_radius(1.0)
    ball = type(ball)(
        ball.centre, ball.lower, ball.upper, norm, ball.with_radius(1.0).covering_radius
    )
    outputs = form.evaluate(ball.centre[None])[0]
    best = int(outputs.argmax())
    others = [t for t in range(form.outputs) if t != best]
    rows = OutputCondition(
        np.eye(form.outputs)[others] - np.eye(form.outputs)[best], np.zeros(len(others))
    )
    radii = first_radii(form, ball, rows, inf)
    assert (radii[-rows.slack(outputs[None])[0] > 1e-3] > 0.0).all()
    rng = np.random.default_rng(seed)
    for _ in range(20):
        points = rng.uniform(ball.lower, ball.upper, size=(500, ball.centre.size))
        points = ball.centre + rng.uniform(0.0, 1.0, size=(500, 1)) * (points - ball.centre)
        for point, slack in zip(points, rows.slack(form.evaluate(points)), strict=True):
            distance = norm.between(point, ball.centre)
            assert (distance > radii[slack >= 0.0]).all()


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 1.0])
def test_no_radius_is_tried_twice(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where bounds fail at the largest radius of interest first."""
    tried: list[float] = []

    def bounds(form: StandardForm, ball: Ball, until: float) -> Bounds:
        tried.append(ball.radius)
        return linear_bounds(form, ball, until)

    monkeypatch.setattr(first_radius, "linear_bounds", bounds)
    for seed in range(20):
        case = small_case(seed)
        form = case.question.form
        ball = case.question.ball.with_radius(share * case.question.ball.covering_radius)
        best = int(form.evaluate(ball.centre[None])[0].argmax())
        others = [t for t in range(form.outputs) if t != best]
        matrix = np.eye(form.outputs)[others] - np.eye(form.outputs)[best]
        tried.clear()
        first_radii(form, ball, OutputCondition(matrix, np.zeros(len(others))), inf)
        assert len(tried) == len(set(tried))


def test_without_time_nothing_is_claimed() -> None:
    case = small_case(0, ("plain",))
    form = case.question.form
    rows = OutputCondition(np.eye(form.outputs), np.full(form.outputs, 100.0))
    assert not first_radii(form, case.question.ball, rows, -inf).any()


def test_no_rows_have_no_first_radii() -> None:
    """Where the only target leads in float64 at the image, and does not exactly."""
    case = small_case(1)
    form = case.network.standard_form
    rows = OutputCondition(np.zeros((0, form.outputs)), np.zeros(0))
    assert first_radii(form, case.question.ball, rows, inf).shape == (0,)
