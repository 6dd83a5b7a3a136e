"""Bounds hold in real arithmetic: against fractions, linear programs and every phase pattern."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from marapatch.bounds import crown as linear
from marapatch.bounds.bounds import Bounds
from marapatch.bounds.crown import linear_bounds
from marapatch.errors import ScopeError
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm


def test_bounds_may_be_used_in_their_scope(bounds: Bounds) -> None:
    ball = bounds.ball
    bounds.require(ball)
    bounds.require(ball.with_radius(0.1))
    smaller = Ball(ball.centre, ball.centre, ball.upper, ball.norm, 0.25)
    bounds.require(smaller)


def test_bounds_are_refused_outside_their_scope(bounds: Bounds) -> None:
    ball = bounds.ball
    other = Norm.L1 if ball.norm is Norm.LINF else Norm.LINF
    moved = np.minimum(ball.centre + 2.0**-40, ball.upper)
    outside = [
        ball.with_radius(np.nextafter(0.25, inf)),
        ball.with_radius(inf),
        Ball(ball.centre, ball.lower, ball.upper, other, 0.25),
        Ball(moved, ball.lower, ball.upper, ball.norm, 0.1),
        Ball(ball.centre, ball.lower - 1e-9, ball.upper, ball.norm, 0.1),
        Ball(ball.centre, ball.lower, ball.upper + 1e-9, ball.norm, 0.1),
    ]
    for refused in outside:
        with pytest.raises(ScopeError, match=r"radius 0\.25"):
            bounds.require(refused)


def test_bounds_are_frozen_and_finite(bounds: Bounds) -> None:
    with pytest.raises(ValueError, match="read-only"):
        bounds.lower[0][0] = 0.0
    unstable = sum(int(u.sum()) for u in bounds.unstable)
    assert unstable < sum(low.size for low in bounds.lower)
    assert linear.linear_bounds is linear_bounds
