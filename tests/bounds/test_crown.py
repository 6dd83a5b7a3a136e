"""Linear bounds hold in real arithmetic: against fractions and every phase pattern."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from math import inf

import exact_optimum as exact
import exact_values
import numpy as np
import pytest
from exact_networks import evaluate_exactly
from small_networks import KINDS, Case, branching_network, cancelling_balls, small_case

from marapatch.bounds import backward as relaxation
from marapatch.bounds import interval
from marapatch.bounds.bounds import Bounds
from marapatch.bounds.concretise import base, l1
from marapatch.bounds.crown import bound_condition, cached_bounds, linear_bounds
from marapatch.bounds.interval import interval_bounds
from marapatch.network.affine_relu.standard_form import StandardForm
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
            for x in exact_values.points(ball, rng, 6):
                assert not list(misses(bounds, *exact_values.evaluate(form, x)))


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
        for x in exact_values.points(ball, rng, 8):
            outputs = evaluate_exactly(network, x)
            hidden, again = exact_values.evaluate(network.standard_form, x)
            assert [float(v) for v in outputs] == pytest.approx([float(v) for v in again])
            assert not list(misses(bounds, hidden, outputs))


@pytest.mark.parametrize("bounder", BOUNDS.values(), ids=BOUNDS)
@pytest.mark.parametrize("norm", PROVED)
def test_rounding_is_outward_where_everything_cancels(bounder: Bounder, norm: Norm) -> None:
    for form, ball, rng in cancelling_balls(norm):
        bounds = bounder(form, ball)
        for x in exact_values.points(ball, rng, 6):
            assert not list(misses(bounds, *exact_values.evaluate(form, x)))


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
        for x in exact_values.points(ball, rng, 6):
            found += len(list(misses(bounds, *exact_values.evaluate(form, x))))
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


@pytest.mark.parametrize("bounder", BOUNDS.values(), ids=BOUNDS)
@pytest.mark.parametrize("norm", PROVED)
def test_bounds_within_a_box_without_end(bounder: Bounder, norm: Norm) -> None:
    rng = np.random.default_rng(10)
    form = small_case(1, ("plain",)).network.standard_form
    centre = rng.normal(size=form.inputs)
    ball = Ball(centre, centre - inf, centre + inf, norm, 0.3)
    bounds = bounder(form, ball)
    for x in exact_values.points(Ball(centre, centre - 9.0, centre + 9.0, norm, 0.3), rng, 10):
        assert not list(misses(bounds, *exact_values.evaluate(form, x)))


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
            for x in exact_values.points(ball, rng, 4):
                slacks = exact_slack(case.condition, exact_values.evaluate(form, x)[1])
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


def test_bounds_are_cached_by_the_ball_and_only_when_complete() -> None:
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
