"""Fused layers store rounded coefficients and how far the true ones may be: bounds hold for all.

The errors here are as large as the coefficients, so that a term that is left out, or taken off
where it is to be added, shows at once; every network within them is evaluated in exact fractions.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import exact_values as exact
import numpy as np
import pytest

from marapatch.arithmetic.float_model import SMALL
from marapatch.bounds.bounds import Bounds
from marapatch.bounds.concretise import concretiser_of
from marapatch.bounds.crown import bound_condition, linear_bounds
from marapatch.bounds.interval import interval_bounds, interval_image
from marapatch.bounds.subproblems import NodeBounder
from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.norm import PROVED, Norm

CONDITION = OutputCondition(np.array([[1.0, -1.0], [0.5, 0.25]]), np.array([0.25, -0.5]))


def inexact_map(rng: np.random.Generator, sizes: dict[int, int], outputs: int) -> AffineMap:
    """Coefficients in sixteenths, errors in sixty-fourths: every network within is exact too."""
    weights = tuple(rng.integers(-32, 33, (outputs, size)) / 16.0 for size in sizes.values())
    errors = tuple(rng.integers(0, 17, weight.shape) / 64.0 for weight in weights)
    bias, error = rng.integers(-16, 17, outputs) / 16.0, rng.integers(0, 17, outputs) / 64.0
    return AffineMap(tuple(sizes), weights, bias, errors, error)


def inexact_form(seed: int) -> StandardForm:
    rng = np.random.default_rng(seed)
    hidden = (inexact_map(rng, {0: 3}, 4), inexact_map(rng, {0: 3, 1: 4}, 3))
    return StandardForm(3, hidden, inexact_map(rng, {1: 4, 2: 3}, 2))


def within(layer: AffineMap, rng: np.random.Generator) -> AffineMap:
    """What the stored coefficients may stand for, each at an end of its error."""
    ends = [rng.choice([-1.0, 1.0], weight.shape) for weight in layer.weights]
    weights = tuple(
        weight + end * error
        for weight, end, error in zip(layer.weights, ends, layer.weight_errors, strict=True)
        if error is not None
    )
    bias = layer.bias + rng.choice([-1.0, 1.0], layer.outputs) * layer.bias_error
    nothing = np.zeros(layer.outputs)
    return AffineMap(layer.sources, weights, bias, (None,) * len(weights), nothing)


def one_within(form: StandardForm, rng: np.random.Generator) -> StandardForm:
    return replace(
        form,
        hidden=tuple(within(layer, rng) for layer in form.hidden),
        output=within(form.output, rng),
    )


def ball(norm: Norm) -> Ball:
    return Ball(np.array([0.5, -0.25, 0.0]), -np.ones(3), np.ones(3), norm, 0.5)


def enclosed(values: list[Fraction], low: np.ndarray, high: np.ndarray) -> bool:
    ends = zip(values, low.tolist(), high.tolist(), strict=True)
    return all(Fraction(a) <= value <= Fraction(b) for value, a, b in ends)


def holds_at(bounds: Bounds, hidden: list[list[Fraction]], outputs: list[Fraction]) -> bool:
    layers = zip(hidden, bounds.lower, bounds.upper, strict=True)
    return all(enclosed(*layer) for layer in layers) and enclosed(outputs, *bounds.output)


@pytest.mark.parametrize("norm", PROVED)
@pytest.mark.parametrize("seed", range(3))
def test_bounds_hold_for_every_network_within_the_errors(norm: Norm, seed: int) -> None:
    form, rng = inexact_form(seed), np.random.default_rng(100 + seed)
    linear, interval = linear_bounds(form, ball(norm)), interval_bounds(form, ball(norm))
    once = bound_condition(form, linear, CONDITION)
    bounder = NodeBounder(form, linear, CONDITION)
    root = bounder.bound(bounder.root(linear), 3).nodes
    weights, constant, _, _ = bounder.evaluate(root)
    rows = root.row_multipliers[0].tolist()
    for _ in range(20):
        one = one_within(form, rng)
        for x in exact.points(ball(norm), rng, 4):
            hidden, outputs = exact.evaluate(one, x)
            assert holds_at(interval, hidden, outputs)
            assert holds_at(linear, hidden, outputs)
            slack = [
                sum((Fraction(w) * y for w, y in zip(row, outputs, strict=True)), -Fraction(rhs))
                for row, rhs in zip(CONDITION.matrix.tolist(), CONDITION.rhs.tolist(), strict=True)
            ]
            assert min(slack) <= Fraction(once.worst)
            below = sum((Fraction(a) * v for a, v in zip(weights[0].tolist(), x, strict=True)),
                        Fraction(float(constant[0])))  # fmt: skip
            lifted = sum((Fraction(m) * s for m, s in zip(rows, slack, strict=True)), Fraction(0))
            assert below <= -lifted


@pytest.mark.parametrize("norm", PROVED)
def test_of_one_layer_they_are_as_far_as_the_errors_reach_and_no_farther(norm: Norm) -> None:
    """The least value of ``w . x + b`` over the ball, less ``e . |x|`` at its largest."""
    rng = np.random.default_rng(7)
    layer = inexact_map(rng, {0: 3}, 2)
    form = StandardForm(3, (), layer)
    zero = ball(norm).with_radius(0.0)
    weight, error = layer.weights[0], layer.weight_errors[0]
    assert isinstance(error, np.ndarray)
    value = weight @ zero.centre + layer.bias
    reach = error @ np.abs(zero.centre) + layer.bias_error
    for bounds in (linear_bounds(form, zero), interval_bounds(form, zero)):
        np.testing.assert_allclose(bounds.output[0], value - reach, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(bounds.output[1], value + reach, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("weight", [1e10, -1e10, 1e300, 0.75])
def test_half_of_the_least_number_is_lost_and_a_weight_multiplies_it(weight: float) -> None:
    """The middle of [0, 2^-1074] and its half are both 0 in float64."""
    tiny = 2.0**-1074
    layer = AffineMap((1,), (np.array([[weight]]),), np.zeros(1), (None,), np.zeros(1))
    point = Ball(np.zeros(1), np.zeros(1), np.zeros(1), Norm.LINF, 0.0)
    box = [(np.zeros(1), np.zeros(1)), (np.zeros(1), np.full(1, tiny))]
    low, high = interval_image(layer, box, concretiser_of(point))
    end = Fraction(weight) * Fraction(tiny)
    assert Fraction(low[0]) <= min(end, Fraction(0))
    assert Fraction(high[0]) >= max(end, Fraction(0))
    assert float(high[0] - low[0]) <= 8.0 * SMALL * (1.0 + abs(weight))
