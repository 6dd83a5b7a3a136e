"""The least value of an affine form over a ball, and the radius that it proves."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import inf

import exact_values
import numpy as np
import pytest
from scipy.optimize import linprog

from marapatch.bounds.concretise import concretiser_of
from marapatch.problem.ball import Ball
from marapatch.problem.norm import PROVED, Norm


def exact_minimum(ball: Ball, a: np.ndarray, c: float) -> Fraction:
    """``min a . x + c`` over ``ball``, by the greedy filling that solves it, in fractions."""
    gains, centre = exact_values.fractions(a), exact_values.fractions(ball.centre)
    value = Fraction(c) + sum(g * v for g, v in zip(gains, centre, strict=True))
    rooms = [
        v - Fraction(low) if g > 0 else Fraction(high) - v
        for g, v, low, high in zip(gains, centre, ball.lower, ball.upper, strict=True)
    ]
    left = Fraction(ball.radius)
    order = sorted(range(len(gains)), key=lambda i: -abs(gains[i]))
    for i in order:
        step = min(rooms[i], Fraction(ball.radius) if ball.norm is Norm.LINF else left)
        left -= step
        value -= abs(gains[i]) * step
    return value


def forms(rng: np.random.Generator, norm: Norm) -> Iterator[tuple[Ball, np.ndarray, np.ndarray]]:
    """Balls with linear forms over them: many inputs, no room, equal gains, all sizes."""
    for trial in range(28):
        n = int(rng.choice([1, 2, 5, 60]))
        centre = rng.uniform(0.0, 1.0, n)
        displacement_bounds = (
            rng.random((2, n)) * 10.0 ** rng.integers(-6, 1, (2, n)) * (rng.random((2, n)) > 0.2)
        )
        radius = float(10.0 ** rng.uniform(-6, 1) * (trial % 7 > 0))
        ball = Ball(
            centre, centre - displacement_bounds[0], centre + displacement_bounds[1], norm, radius
        )
        a = rng.normal(size=(5, n)) * 10.0 ** rng.integers(-8, 9, (5, n))
        a[1] = np.round(rng.normal(size=n))
        a[2] = 1.0
        a[3] = 0.0
        yield ball, a, rng.normal(size=5) - a @ centre


@pytest.mark.parametrize("norm", PROVED)
@pytest.mark.parametrize("sharp", [False, True])
def test_the_least_value_of_a_form_is_rigorous_and_close(norm: Norm, sharp: bool) -> None:
    for ball, a, c in forms(np.random.default_rng(5), norm):
        found = concretiser_of(ball).minimum(a, c, sharp=sharp)
        for i in range(5):
            true = exact_minimum(ball, a[i], c[i])
            assert Fraction(found[i]) <= true
            assert found[i] >= float(true) - gap(ball, a[i], c[i], 1e-3 if sharp else 0.05)


def gap(ball: Ball, a: np.ndarray, c: float, dual_value: float) -> float:
    """How far below the least value a bound may lie: rounding, and for L1 the error of a price
    found by bisection, relative to the largest gain."""
    rounding = 1e-12 * float(np.abs(a) @ (np.abs(ball.centre) + ball.radius) + abs(c))
    share = dual_value if ball.norm is Norm.L1 else 0.0
    return rounding + share * float(np.abs(a).max()) * ball.radius


@pytest.mark.parametrize("norm", PROVED)
def test_the_least_value_within_a_smaller_radius(norm: Norm) -> None:
    rng = np.random.default_rng(6)
    for ball, a, c in forms(rng, norm):
        smaller = ball.radius * rng.random(5)
        found = concretiser_of(ball).minimum(a, c, smaller)
        for i in range(5):
            true = exact_minimum(ball.with_radius(smaller[i]), a[i], c[i])
            assert Fraction(found[i]) <= true
            assert found[i] >= float(true) - gap(ball, a[i], c[i], 0.05)


@pytest.mark.parametrize("norm", PROVED)
def test_the_greedy_filling_of_this_test_solves_the_linear_program(norm: Norm) -> None:
    rng = np.random.default_rng(7)
    for _ in range(30):
        n = int(rng.integers(1, 8))
        centre = rng.random(n)
        ball = Ball(centre, centre - rng.random(n), centre + rng.random(n), norm, 2 * rng.random())
        a = rng.normal(size=n)
        down, up = (np.minimum(side, ball.radius) for side in ball.displacement_bounds)
        budget = None if norm is Norm.LINF else np.ones((1, 2 * n))
        result = linprog(
            np.append(a, -a),
            A_ub=budget,
            b_ub=None if budget is None else [ball.radius],
            bounds=[(0.0, v) for v in (*up, *down)],
        )
        expected = float(a @ centre) + result.fun
        assert float(exact_minimum(ball, a, 0.0)) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("norm", PROVED)
def test_the_minimiser_is_a_point_of_the_ball_and_the_minimum_a_bound(norm: Norm) -> None:
    for ball, a, c in forms(np.random.default_rng(8), norm):
        value, x = concretiser_of(ball).minimum_and_minimiser(a, c)
        if norm is Norm.LINF:  # for L1 only "about where it is taken"
            size = np.abs(a).sum(axis=1) + np.abs(c)
            assert (np.abs((a * x).sum(axis=1) + c - value) <= 1e-9 * size).all()
        assert ((x >= ball.lower - 1e-12) & (x <= ball.upper + 1e-12)).all()
        for row in x:
            assert norm.distance(row - ball.centre) <= ball.radius * (1 + 1e-9) + 1e-12
        for i in range(5):
            assert Fraction(value[i]) <= exact_minimum(ball, a[i], c[i])


@pytest.mark.parametrize("norm", PROVED)
def test_a_box_without_end_leaves_the_ball_alone(norm: Norm) -> None:
    """Patches are asked about a tail whose input has no box."""
    rng = np.random.default_rng(9)
    for n in (1, 3, 60):
        centre = rng.normal(size=n)
        a, c = rng.normal(size=(4, n)), rng.normal(size=4)
        a[0] = 0.0
        open_ball = Ball(centre, centre - inf, centre + inf, norm, 0.7)
        wide_ball = Ball(centre, centre - 9.0, centre + 9.0, norm, 0.7)
        for method in ("minimum", "radius_of"):
            open_value = getattr(concretiser_of(open_ball), method)(a, c)
            wide_value = getattr(concretiser_of(wide_ball), method)(a, c)
            np.testing.assert_allclose(open_value, wide_value, atol=1e-9)
        value, x = concretiser_of(open_ball).minimum_and_minimiser(a, c)
        assert np.isfinite(x).all()
        assert (value <= (a * x).sum(axis=1) + c + 1e-9).all()


@pytest.mark.parametrize("norm", PROVED)
def test_a_proved_radius_is_never_too_large(norm: Norm) -> None:
    useful = 0
    for ball, a, _ in forms(np.random.default_rng(11), norm):
        size = np.abs(a).sum(axis=1)
        for share in (0.0, 1e-3, 0.1, 1e9):
            c = share * size * ball.radius - a @ ball.centre
            found = concretiser_of(ball).radius_of(a, c)
            assert (found <= ball.radius).all()
            for i in range(5):
                if found[i] > 0.0:
                    assert exact_minimum(ball.with_radius(found[i]), a[i], c[i]) > 0
                    useful += 1
                beyond = exact_minimum(
                    ball.with_radius(min(found[i] * 1.001 + 1e-7, ball.radius)), a[i], c[i]
                )
                assert found[i] == ball.radius or beyond <= 1e-6 * Fraction(size[i] + abs(c[i]))
    assert useful > 60


def test_nothing_is_proved_where_the_form_vanishes_at_the_centre() -> None:
    ball = Ball(np.full(2, 0.5), np.zeros(2), np.ones(2), Norm.LINF, 0.5)
    a = np.array([[1.0, -1.0], [0.0, 0.0], [0.0, 0.0]])
    assert concretiser_of(ball).radius_of(a, np.array([0.0, 0.0, -1.0])).tolist() == [0.0] * 3


@pytest.mark.parametrize("size", [1.0, 1e9, 1e300])
def test_a_form_that_does_not_depend_on_the_input_is_proved_everywhere(size: float) -> None:
    for norm in PROVED:
        ball = Ball(np.full(2, 0.5), np.zeros(2), np.ones(2), norm, 0.5)
        assert concretiser_of(ball).radius_of(np.zeros((1, 2)), np.array([size])).tolist() == [0.5]
