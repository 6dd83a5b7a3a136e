"""The checker's least values of linear forms over a ball, against exact rationals: never above what
is so, and as near to it as rounding lets them be."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from marapatch.certificates.recheck_least import FEW_GAINS, SMALL, BallMinimum, Form
from marapatch.problem.ball import Ball
from marapatch.problem.norm import PROVED, Norm

UNIT = Fraction(1, 2**53)

SCALES = (1.0, 2.0**60, 1e-200, 1e150, 5e-324)


def over(centre: list[float], low: list[float], high: list[float], norm: Norm, r: float) -> Ball:
    return Ball(np.array(centre), np.array(low), np.array(high), norm, r)


def rationals(values: np.ndarray) -> list[Fraction]:
    return [Fraction(value) for value in values.tolist()]


def exact_least(weights: np.ndarray, constant: float, ball: Ball) -> Fraction:
    """The least value in rational arithmetic: every entry moves as far as the box lets it, those of
    the largest weight first where an L1 radius is spent."""
    left = Fraction(ball.radius)
    total = Fraction(constant)
    moves = []
    for w, c, low, high in zip(
        *map(rationals, (weights, ball.centre, ball.lower, ball.upper)), strict=True
    ):
        total += w * c
        moves.append((abs(w), min(c - low if w > 0 else high - c, Fraction(ball.radius))))
    for gain, room in sorted(moves, reverse=True):
        moved = room if ball.norm is Norm.LINF else min(room, left)
        total -= gain * moved
        left -= moved
    return total


def size_of(weights: np.ndarray, constant: float, ball: Ball) -> Fraction:
    """What a rounding error is relative to."""
    reach = np.maximum(np.abs(ball.lower), np.abs(ball.upper))
    pairs = zip(rationals(np.abs(weights)), rationals(reach), strict=True)
    return abs(Fraction(constant)) + 4 * sum((w * x for w, x in pairs), Fraction(0))


def drawn(rng: np.random.Generator, inputs: int, norm: Norm) -> Ball:
    scale = float(rng.choice([1.0, 1e-150, 1e100]))
    centre = scale * rng.normal(size=inputs)
    down, up = scale * rng.exponential(size=(2, inputs)) * rng.integers(0, 2, (2, inputs))
    spent = {Norm.LINF: 1.0, Norm.L1: 0.3 * inputs}[norm]
    return Ball(centre, centre - down, centre + up, norm, scale * spent * rng.random())


@pytest.mark.parametrize("norm", PROVED)
@pytest.mark.parametrize("inputs", [1, 3, 7 * FEW_GAINS])
def test_the_least_value_over_a_ball(inputs: int, norm: Norm) -> None:
    """Few entries and many (more than are sorted at first), of every size."""
    rng = np.random.default_rng(inputs)
    for _ in range(12):
        ball = drawn(rng, inputs, norm)
        weights = rng.normal(size=(3, inputs)) * rng.choice(SCALES, (3, 1))
        weights[rng.random((3, inputs)) < 0.2] = 0.0
        constant = rng.normal(size=3) * rng.choice(SCALES, 3)
        found, at = BallMinimum(ball).least(Form(weights, constant))
        for w, c, bound, point in zip(weights, constant.tolist(), found.tolist(), at, strict=True):
            exact = exact_least(w, c, ball)
            assert Fraction(bound) <= exact
            # gamma(4 inputs) is 2 (4 inputs + 8) units, of sizes that are counted three times
            loose = (60 * inputs + 60) * UNIT * size_of(w, c, ball)
            assert Fraction(bound) >= exact - loose - 8 * inputs * Fraction(SMALL)
            beside = 1e-12 * np.abs(ball.centre).max()  # it is about where the least value is
            assert (point >= ball.lower - beside).all()
            assert (point <= ball.upper + beside).all()
            assert ball.norm.distance(point - ball.centre) <= ball.radius * (1.0 + 1e-12)
            reached = Fraction(c) + sum(
                (a * b for a, b in zip(rationals(w), rationals(point), strict=True)), Fraction(0)
            )
            assert reached - exact <= loose


@pytest.mark.parametrize("norm", PROVED)
def test_a_long_sum_that_loses_every_small_term(norm: Norm) -> None:
    """64 terms of 1, and then 2^-53 so often that they make up 8: added to a 1 each is lost."""
    count = 2**56 // 2**53 * 2**53 // 2**37  # 2^19 terms
    weights = np.full(count, 2.0**-53)
    weights[:64] = 1.0
    ball = Ball(np.zeros(count), -np.ones(count), np.zeros(count), norm, float(count))
    if norm is Norm.LINF:
        ball = ball.with_radius(1.0)
    found = BallMinimum(ball).least(Form(weights[None], np.zeros(1)))[0][0]
    exact = -64 - Fraction(count - 64, 2**53)
    assert Fraction(found) <= exact
    assert found >= float(exact) * (1.0 + 1e-8)


def test_what_overflows_is_no_bound() -> None:
    ball = over([0.0], [-1e200], [1e200], Norm.LINF, 1e200)
    with np.errstate(all="ignore"):
        found = BallMinimum(ball).least(Form(np.array([[1e200], [1.0]]), np.zeros(2)))[0]
    assert found[0] == -np.inf
    assert found[1] == pytest.approx(-1e200)


def plane_least(form: Form, cut: Form, ball: Ball) -> Fraction | None:
    """The least value of ``form`` over a box in the plane where ``cut <= 0``: at a corner of it, or
    where one of its sides meets ``cut = 0``."""
    low, high = rationals(ball.lower), rationals(ball.upper)
    a, b = rationals(cut.weights[0]), Fraction(cut.constant[0])
    points = [list(point) for point in product(*zip(low, high, strict=True))]
    for i, j in ((0, 1), (1, 0)):
        for end in (low[i], high[i]):
            if a[j]:
                crossing = -(b + a[i] * end) / a[j]
                if low[j] <= crossing <= high[j]:
                    points.append([end, crossing] if i == 0 else [crossing, end])
    w, c = rationals(form.weights[0]), Fraction(form.constant[0])
    values = [w[0] * x + w[1] * y + c for x, y in points if a[0] * x + a[1] * y + b <= 0]
    return min(values, default=None)


@pytest.mark.parametrize("of_form", [1.0, 1e-200, 1e-308, 5e-324, 2.0**60])
@pytest.mark.parametrize("of_cut", [1.0, 1e-200, 1e-308, 2.0**60])
def test_the_least_value_under_a_cut(of_form: float, of_cut: float) -> None:
    """Also where its dual value is so large or so small that products underflow."""
    rng = np.random.default_rng(3)
    raised = near = 0
    for _ in range(40):
        centre = rng.integers(-4, 5, 2) / 4.0
        low, high = centre - rng.integers(0, 5, 2) / 4.0, centre + rng.integers(1, 5, 2) / 4.0
        ball = Ball(centre, low, high, Norm.LINF, 2.0)
        form = Form(of_form * rng.integers(-9, 10, (1, 2)), of_form * rng.integers(-9, 10, 1))
        cut = Form(of_cut * rng.integers(-9, 10, (1, 2)), of_cut * rng.integers(-9, 10, 1))
        exact = plane_least(form, cut, ball)
        if exact is None:  # the cut leaves nothing
            continue
        minimum = BallMinimum(ball)
        with np.errstate(all="ignore"):  # what overflows is no bound
            found = Fraction(minimum.least_under(form, cut)[0])
        alone = Fraction(minimum.least(form)[0][0])
        assert alone <= found <= exact
        if exact - alone > Fraction(of_form) / 100 + 100 * Fraction(SMALL):
            raised += 1
            near += exact - found <= (exact - alone) / 10
    if min(of_form, of_cut) >= 1e-200:
        assert raised >= 5
        assert near >= 0.9 * raised


def test_a_cut_of_nothing_changes_nothing() -> None:
    """A constant above 0 alone says that no input is left; that is not this function's to say."""
    minimum = BallMinimum(over([0.0, 0.0], [-1.0, -1.0], [1.0, 1.0], Norm.LINF, 1.0))
    form = Form(np.array([[1.0, 2.0]]), np.zeros(1))
    for constant in (-1.0, 1.0):
        found = minimum.least_under(form, Form(np.zeros((1, 2)), np.full(1, constant)))
        assert found[0] == minimum.least(form)[0][0]


@pytest.mark.parametrize("norm", PROVED)
def test_the_radius_up_to_which_a_form_is_above_nothing(norm: Norm) -> None:
    """3 - |x| - |y| within the L1 ball, 3 - 2 max within the other."""
    minimum = BallMinimum(over([0.0] * 2, [-9.0] * 2, [9.0] * 2, norm, 8.0))
    exact = 3.0 if norm is Norm.L1 else 1.5
    found = minimum.radius_of(Form(np.array([[1.0, -1.0]]), np.full(1, 3.0)))
    assert exact * (1.0 - 1e-7) <= found <= exact
    assert minimum.radius_of(Form(np.array([[1.0, -1.0]]), np.full(1, 17.0))) == 8.0
    assert minimum.radius_of(Form(np.array([[1.0, -1.0]]), np.full(1, 0.0))) == 0.0
    assert minimum.radius_of(Form(np.array([[1.0, -1.0]]), np.full(1, -1.0))) == 0.0
