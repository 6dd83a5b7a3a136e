"""Distances are never understated, and every set a ball reports contains the ball."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nan, nextafter

import numpy as np
import pytest

from marapatch.errors import InputError
from marapatch.problem.ball import Ball
from marapatch.problem.norm import PROVED, Norm


def exact_norm(norm: Norm, x: np.ndarray, y: np.ndarray) -> Fraction:
    sizes = [abs(Fraction(a) - Fraction(b)) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    return max(sizes) if norm is Norm.LINF else sum(sizes, Fraction(0))


@pytest.mark.parametrize("norm", PROVED)
def test_the_distance_is_rounded_up_and_by_little(norm: Norm) -> None:
    rng = np.random.default_rng(0)
    for trial in range(300):
        n = int(rng.integers(1, 40))
        difference = rng.normal(size=n) * 10.0 ** rng.integers(-12, 12, n)
        if trial % 3 == 0:
            difference = difference.astype(np.float32).astype(np.float64)
        exact = exact_norm(norm, difference, np.zeros(n))
        found = Fraction(norm.distance(difference))
        assert exact <= found <= exact * (1 + Fraction(1, 10**12))


@pytest.mark.parametrize("norm", PROVED)
def test_the_distance_between_two_inputs_counts_the_rounding_of_their_difference(
    norm: Norm,
) -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        n = int(rng.integers(1, 6))
        x, y = rng.normal(size=(2, n)) * 10.0 ** rng.integers(-20, 3, (2, n))
        exact = exact_norm(norm, x, y)
        found = Fraction(norm.between(x, y))
        assert exact <= found <= exact * (1 + Fraction(1, 10**12))


@pytest.mark.parametrize("norm", PROVED)
def test_equal_inputs_are_at_distance_zero(norm: Norm) -> None:
    x = np.array([0.1, 0.7, 1e-9])
    assert norm.distance(np.zeros(4)) == 0.0
    assert norm.between(x, x) == 0.0


def test_a_difference_that_is_exact_is_not_rounded() -> None:
    x, y = np.float32([0.25, 0.7]).astype(float), np.float32([0.5, 0.6]).astype(float)
    assert Norm.LINF.between(x, y) == 0.25


@pytest.mark.parametrize(
    ("centre", "lower", "upper", "radius"),
    [
        ([0.5], [0.6], [1.0], 1.0),
        ([0.5], [0.0], [0.4], 1.0),
        ([0.5], [nan], [1.0], 1.0),
        ([0.5], [0.0], [1.0], -1.0),
        ([0.5], [0.0], [1.0], nan),
        ([nan], [0.0], [1.0], 1.0),
        ([inf], [0.0], [inf], 1.0),
    ],
)
def test_a_ball_that_makes_no_sense_is_refused(
    centre: list[float], lower: list[float], upper: list[float], radius: float
) -> None:
    with pytest.raises(InputError):
        Ball(np.array(centre), np.array(lower), np.array(upper), Norm.LINF, radius)


def test_the_arrays_are_copied_and_frozen() -> None:
    lower = np.zeros(2)
    ball = Ball(np.full(2, 0.5), lower, np.ones(2), Norm.L1, 1.0)
    lower[0] = 0.9
    assert ball.lower[0] == 0.0
    for array in (ball.centre, ball.lower, ball.upper):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 3.0


@pytest.mark.parametrize("norm", PROVED)
def test_reach_and_box_contain_every_point_of_the_ball(norm: Norm) -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        n = int(rng.integers(1, 5))
        centre = rng.normal(size=n) * 10.0 ** rng.integers(-6, 6, n)
        lower = centre - rng.random(n) * 10.0 ** rng.integers(-8, 8, n)
        upper = centre + rng.random(n) * 10.0 ** rng.integers(-8, 8, n)
        lower[0] = centre[0]
        radius = float(10.0 ** rng.uniform(-8, 8))
        ball = Ball(centre, lower, upper, norm, radius)
        down, up = ball.displacement_bounds
        low, high = ball.enclosing_box
        assert down[0] == 0.0
        for i in range(n):
            c, r = Fraction(centre[i]), Fraction(radius)
            furthest_down = min(c - Fraction(lower[i]), r)
            furthest_up = min(Fraction(upper[i]) - c, r)
            assert furthest_down <= Fraction(down[i]) <= Fraction(nextafter(radius, inf))
            assert furthest_up <= Fraction(up[i])
            assert max(Fraction(lower[i]), c - r) >= Fraction(low[i]) >= Fraction(lower[i])
            assert min(Fraction(upper[i]), c + r) <= Fraction(high[i]) <= Fraction(upper[i])


@pytest.mark.parametrize("norm", PROVED)
def test_at_the_radius_of_the_whole_box_the_ball_is_the_whole_box(norm: Norm) -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        n = int(rng.integers(1, 6))
        centre = rng.random(n)
        ball = Ball(centre, centre - rng.random(n), centre + rng.random(n), norm, 0.0)
        furthest = np.where(centre - ball.lower > ball.upper - centre, ball.lower, ball.upper)
        assert exact_norm(norm, furthest, centre) <= Fraction(ball.covering_radius)
        whole = ball.with_radius(ball.covering_radius).enclosing_box
        np.testing.assert_array_equal(whole, (ball.lower, ball.upper))


def test_a_box_without_end_has_no_whole_radius_and_one_without_room_has_zero() -> None:
    centre = np.array([1.0, 2.0])
    for norm in PROVED:
        assert Ball(centre, centre - inf, centre + inf, norm, 1.0).covering_radius == inf
        assert Ball(centre, centre, centre, norm, 1.0).covering_radius == 0.0
