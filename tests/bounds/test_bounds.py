"""Bounds hold in real arithmetic: against fractions, linear programs and every phase pattern."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from math import inf

import exact_optimum as exact
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog
from small_networks import KINDS, Case, branching_network, cancelling_balls, small_case

from marapatch.bounds import backward as relaxation
from marapatch.bounds import crown as linear
from marapatch.bounds import interval
from marapatch.bounds.bounds import Bounds
from marapatch.bounds.concretise import Concretiser, base, concretiser_of, l1
from marapatch.bounds.crown import bound_condition, cached_bounds, linear_bounds
from marapatch.bounds.interval import interval_bounds, interval_image
from marapatch.errors import ScopeError
from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition, Rule, beats
from marapatch.problem.norm import PROVED, Norm

BOUNDS = {"interval": interval_bounds, "linear": linear_bounds}
Bounder = Callable[[StandardForm, Ball], Bounds]


def misses(bounds: Bounds, hidden: list[exact.Vector], outputs: exact.Vector) -> Iterator[str]:
    """Every exact value outside its bounds, described."""
    pairs = [*zip(bounds.lower, bounds.upper, strict=True), bounds.output]
    for k, ((low, high), z) in enumerate(zip(pairs, [*hidden, outputs], strict=True)):
        for j, (a, v, b) in enumerate(zip(low.tolist(), z, high.tolist(), strict=True)):
            if not Fraction(a) <= v <= Fraction(b):
                yield f"layer {k} neuron {j}: {float(v)!r} outside [{a!r}, {b!r}]"


def radii(case: Case) -> tuple[float, ...]:
    whole = case.ball.covering_radius
    return 1e-6 * whole, 0.03 * whole, 0.3 * whole, whole, 3.0 * whole


@pytest.mark.parametrize("bounder", BOUNDS.values(), ids=BOUNDS)
@pytest.mark.parametrize("kind", KINDS)
def test_bounds_enclose_the_exact_values(bounder: Bounder, kind: str) -> None:
    rng = np.random.default_rng(0)
    for seed in range(7):
        case = small_case(seed, (kind,))
        form = case.network.standard_form
        for radius in radii(case):
            ball = case.ball.with_radius(radius)
            bounds = bounder(form, ball)
            for x in exact.points(ball, rng, 6):
                assert not list(misses(bounds, *exact.evaluate(form, x)))


@pytest.mark.parametrize("bounder", BOUNDS.values(), ids=BOUNDS)
@pytest.mark.parametrize("norm", PROVED)
def test_bounds_of_branching_networks_enclose_the_network_as_defined(
    bounder: Bounder, norm: Norm
) -> None:
    rng = np.random.default_rng(1)
    for _ in range(12):
        network = branching_network(rng)
        centre = rng.normal(size=3)
        ball = Ball(centre, centre - 0.3, centre + 0.2, norm, 10.0 ** rng.uniform(-3, 0))
        bounds = bounder(network.standard_form, ball)
        for x in exact.points(ball, rng, 8):
            outputs = exact.evaluate_network(network, x)
            hidden, again = exact.evaluate(network.standard_form, x)
            assert [float(v) for v in outputs] == pytest.approx([float(v) for v in again])
            assert not list(misses(bounds, hidden, outputs))


@pytest.mark.parametrize("bounder", BOUNDS.values(), ids=BOUNDS)
@pytest.mark.parametrize("norm", PROVED)
def test_rounding_is_outward_where_everything_cancels(bounder: Bounder, norm: Norm) -> None:
    for form, ball, rng in cancelling_balls(norm):
        bounds = bounder(form, ball)
        for x in exact.points(ball, rng, 6):
            assert not list(misses(bounds, *exact.evaluate(form, x)))


@pytest.mark.parametrize("norm", PROVED)
@pytest.mark.parametrize("bounder", BOUNDS.values(), ids=BOUNDS)
def test_these_networks_do_need_the_rounding_terms(
    bounder: Bounder, norm: Norm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without them the test above fails: so it tests them."""
    for module in (base, l1, interval, relaxation):
        monkeypatch.setattr(module, "gamma", lambda operations: 0.0)
    found = 0
    for form, ball, rng in cancelling_balls(norm):
        bounds = bounder(form, ball)
        for x in exact.points(ball, rng, 6):
            found += len(list(misses(bounds, *exact.evaluate(form, x))))
    assert found > 5


@pytest.mark.parametrize("seed", range(6))
def test_bounds_against_every_phase_pattern(seed: int) -> None:
    """Linear programs over every feasible prefix of phases give the true ranges."""
    case = small_case(seed, ("plain",))
    form = case.network.standard_form
    ball = case.ball.with_radius(0.2 * case.ball.covering_radius)
    least, most = exact.extremes(form, ball)
    widths = {}
    for name, bounder in BOUNDS.items():
        bounds = bounder(form, ball)
        pairs = [*zip(bounds.lower, bounds.upper, strict=True), bounds.output]
        widths[name] = sum(float((high - low).sum()) for low, high in pairs)
        for (low, high), a, b in zip(pairs, least, most, strict=True):
            slack = 1e-7 * (1.0 + np.abs(a) + np.abs(b))
            assert (low <= a + slack).all()
            assert (high >= b - slack).all()
        np.testing.assert_allclose(pairs[0], (least[0], most[0]), atol=1e-2)
    assert widths["linear"] <= widths["interval"]


@pytest.mark.parametrize("norm", PROVED)
def test_bounds_of_branching_networks_against_every_phase_pattern(norm: Norm) -> None:
    rng = np.random.default_rng(4)
    for _ in range(2):
        form = branching_network(rng, inputs=2).standard_form
        centre = rng.normal(size=2)
        ball = Ball(centre, centre - 0.3, centre + 0.2, norm, 0.25)
        least, most = exact.extremes(form, ball)
        for bounder in BOUNDS.values():
            bounds = bounder(form, ball)
            pairs = [*zip(bounds.lower, bounds.upper, strict=True), bounds.output]
            for (low, high), a, b in zip(pairs, least, most, strict=True):
                slack = 1e-7 * (1.0 + np.abs(a) + np.abs(b))
                assert (low <= a + slack).all()
                assert (high >= b - slack).all()


def exact_minimum(ball: Ball, a: np.ndarray, c: float) -> Fraction:
    """``min a . x + c`` over ``ball``, by the greedy filling that solves it, in fractions."""
    gains, centre = exact.fractions(a), exact.fractions(ball.centre)
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


@pytest.mark.parametrize("bounder", BOUNDS.values(), ids=BOUNDS)
@pytest.mark.parametrize("norm", PROVED)
def test_bounds_within_a_box_without_end(bounder: Bounder, norm: Norm) -> None:
    rng = np.random.default_rng(10)
    form = small_case(1, ("plain",)).network.standard_form
    centre = rng.normal(size=form.inputs)
    ball = Ball(centre, centre - inf, centre + inf, norm, 0.3)
    bounds = bounder(form, ball)
    for x in exact.points(Ball(centre, centre - 9.0, centre + 9.0, norm, 0.3), rng, 10):
        assert not list(misses(bounds, *exact.evaluate(form, x)))


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


@pytest.mark.parametrize("seed", range(24))
def test_the_bound_on_a_condition_against_the_exact_optimum(seed: int) -> None:
    case = small_case(seed)
    form = case.network.standard_form
    optimum = exact.nearest(form, case.ball, case.condition, case.witnessed)
    rng = np.random.default_rng(seed)
    whole = case.ball.covering_radius
    for radius in (1e-3 * whole, 0.03 * whole, 0.3 * whole, whole):
        ball = case.ball.with_radius(radius)
        for bounder in BOUNDS.values():
            found = bound_condition(form, bounder(form, ball), case.condition)
            assert found.radius <= radius
            assert found.worst >= 0.0 or found.radius == radius
            for x in exact.points(ball, rng, 4):
                slacks = exact_slack(case.condition, exact.evaluate(form, x)[1])
                assert min(slacks) <= Fraction(found.worst)
            if optimum is not None and optimum.exact:
                assert found.worst >= 0.0 or optimum.distance > Fraction(radius)
                assert Fraction(found.radius) < optimum.distance


def exact_slack(condition: OutputCondition, outputs: exact.Vector) -> list[Fraction]:
    return [
        sum(Fraction(w) * y for w, y in zip(row, outputs, strict=True)) - Fraction(rhs)
        for row, rhs in zip(condition.matrix.tolist(), condition.rhs.tolist(), strict=True)
    ]


def test_a_condition_that_cannot_be_met_is_refuted_and_one_that_is_met_never() -> None:
    case = small_case(3, ("plain",))
    form, ball = case.network.standard_form, case.ball.with_radius(0.1)
    bounds = linear_bounds(form, ball)
    n = form.outputs
    impossible = beats(case.target, n, Rule.ARGMAX, margin=1e6)
    assert bound_condition(form, bounds, impossible).worst < 0.0
    assert bound_condition(form, bounds, impossible).radius == 0.1
    y = case.network.evaluate(ball.centre)[0]
    met = OutputCondition(np.eye(n), y - 1e-9)
    assert bound_condition(form, bounds, met).worst >= 0.0
    assert bound_condition(form, bounds, met).radius == 0.0


def test_bounds_are_remembered_by_the_ball_and_only_when_complete() -> None:
    case = small_case(0, ("plain",))
    form, ball = case.network.standard_form, case.ball.with_radius(0.25)
    hurried = cached_bounds(form, ball, -inf)
    known = cached_bounds(form, ball)
    assert known is not hurried
    assert cached_bounds(form, replace(ball)) is known
    assert cached_bounds(form, ball, -inf) is known
    other = cached_bounds(form, ball.with_radius(0.125))
    assert (other.ball.radius, known.ball.radius) == (0.125, 0.25)
    assert cached_bounds(replace(form), ball) is not known
    fresh = linear_bounds(form, ball)
    for name in ("lower", "upper"):
        for mine, theirs in zip(getattr(known, name), getattr(fresh, name), strict=True):
            assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("share", [0.01, 0.5])
def test_a_product_with_few_entries_is_the_same(share: float) -> None:
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(30, 40)) * (rng.random((30, 40)) < share)
    weight = rng.normal(size=(40, 50)) * (rng.random((40, 50)) < 0.2)
    expected = rows @ weight
    assert np.allclose(relaxation._product(rows, sp.csr_array(weight)), expected, atol=1e-12)
    assert np.array_equal(relaxation._product(rows, weight), expected)


@pytest.fixture
def bounds() -> Bounds:
    case = small_case(0, ("plain",))
    return linear_bounds(case.network.standard_form, case.ball.with_radius(0.25))


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


@pytest.mark.parametrize("norm", PROVED, ids=lambda norm: norm.value)
def test_sparse_rows_are_bounded_on_their_own_inputs(
    norm: Norm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As tightly as over all inputs, for a small part of the work."""
    rng = np.random.default_rng(3)
    rows, inputs = 200, 500
    weight = np.zeros((rows, inputs))
    for i in range(rows):  # windows that move along, as a convolution's do
        weight[i, 2 * i : 2 * i + 9] = rng.normal(size=min(9, inputs - 2 * i))
    centre = rng.uniform(0.2, 0.8, size=inputs)
    ball = Ball(centre, np.zeros(inputs), np.ones(inputs), norm, 0.3)
    asked: list[int] = []
    minimum = Concretiser.minimum

    def counted(self: Concretiser, a: np.ndarray, *more: np.ndarray) -> np.ndarray:
        asked.append(a.size)
        return minimum(self, a, *more)

    monkeypatch.setattr(Concretiser, "minimum", counted)
    sparse = interval._over_ball(sp.csr_array(weight), concretiser_of(ball))
    entries, asked[:] = sum(asked), []
    dense = interval._over_ball(weight, concretiser_of(ball))
    assert entries * 4 < sum(asked)
    for mine, other, outward in zip(sparse, dense, (-1.0, 1.0), strict=True):
        assert np.allclose(mine, other, rtol=1e-6, atol=1e-9)
        assert (outward * (mine - other) <= 1e-6 * np.abs(other)).all()
    for _ in range(200):
        step = rng.uniform(-0.3, 0.3, size=inputs) if norm is Norm.LINF else np.zeros(inputs)
        if norm is Norm.L1:
            step[rng.integers(inputs)] = rng.choice((-0.3, 0.3))
        z = weight @ np.clip(centre + step, 0.0, 1.0)
        assert (sparse[0] <= z).all()
        assert (z <= sparse[1]).all()


@pytest.mark.parametrize("norm", PROVED)
def test_a_sparse_layer_that_takes_nothing_of_the_input(norm: Norm) -> None:
    ball = Ball(np.array([0.5, 0.25]), np.zeros(2), np.ones(2), norm, 0.125)
    bias = np.array([1.0, 0.0, -2.0])
    layer = AffineMap((0,), (sp.csr_array((3, 2)),), bias, (None,), np.zeros(3))
    low, high = interval_image(layer, [ball.enclosing_box], concretiser_of(ball))
    assert low == pytest.approx(bias, abs=1e-12)
    assert high == pytest.approx(bias, abs=1e-12)
    assert ((low <= bias) & (bias <= high)).all()
