"""What is taken off a bound for rounding: judged by exact arithmetic, term by term.

The numbers are chosen so that float64 errs as far as it can on the wrong side: entries that cancel
to what their products lost, values near halfway between two floats, products that underflow.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from marapatch.arithmetic.float_model import SMALL, UNIT, gamma
from marapatch.bounds.concretise import concretiser_of
from marapatch.bounds.concretise.cut import CutSearch
from marapatch.network.graph import dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.norm import PROVED, Norm
from marapatch.problem.replay import Replay

Exact = Fraction


def exact_least(ball: Ball, a: list[Exact], c: Exact) -> Exact:
    """``min a . x + c`` over the ball within the box."""
    radius = Exact(ball.radius)
    value, falls = c, []
    for w, x, low, high in zip(
        a, ball.centre.tolist(), ball.lower.tolist(), ball.upper.tolist(), strict=True
    ):
        value += w * Exact(x)
        side = Exact(x) - Exact(low) if w > 0 else Exact(high) - Exact(x)
        falls.append((abs(w), min(side, radius)))
    if ball.norm is Norm.LINF:
        return value - sum((gain * side for gain, side in falls), Exact(0))
    for gain, side in sorted(falls, reverse=True):
        moved = min(side, radius)
        value -= gain * moved
        radius -= moved
    return value


def full(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers in [1, 2) with all 53 bits of their mantissas at random."""
    return 1.0 + rng.integers(0, 2**52, shape) * 2.0**-52


def ball_of(norm: Norm, rng: np.random.Generator, inputs: int, far: float = 1.0) -> Ball:
    centre = far * rng.uniform(-1.0, 1.0, inputs)
    sides = rng.uniform(0.0, 1.0, (2, inputs))
    return Ball(centre, centre - sides[0], centre + sides[1], norm, float(rng.uniform(0.1, 2.0)))


DUAL_VALUES = (0.0, 1.0, 1.0 + 2.0**-52, 0.7, 3.0**0.5, 2.0**60, 1e-300, 5e-324)


@pytest.mark.parametrize("norm", PROVED)
@pytest.mark.parametrize("dual_value", DUAL_VALUES)
def test_a_form_under_a_cut_is_bounded_whatever_the_dual_value(
    norm: Norm, dual_value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form is what the product with the cut lost: nothing but rounding is left of the sum."""
    monkeypatch.setattr(CutSearch, "run", lambda self, a, which, steps: np.full(len(a), dual_value))
    rng = np.random.default_rng(1)
    needed = 0
    for trial in range(40):
        inputs = 1 + trial % 7
        ball = ball_of(norm, rng, inputs, far=1e6)
        cut = full(rng, 3, inputs) * rng.choice([-1.0, 1.0], (3, inputs))
        cut *= 2.0 ** rng.integers(-30, 30, (3, 1)) if trial % 2 else 1.0
        if trial % 5 == 4:
            cut *= 1e-310  # subnormal: what is lost is not relative to anything
        offset = np.zeros(3) if trial % 3 else full(rng, 3)
        a = -(dual_value * cut)
        c = -(dual_value * offset)
        least = concretiser_of(ball).minimum_under_cut(a, c, (cut, offset), np.arange(3), 1)
        for i in range(3):
            p = Exact(dual_value)
            form = [
                Exact(x) + p * Exact(y) for x, y in zip(a[i].tolist(), cut[i].tolist(), strict=True)
            ]
            exact = exact_least(ball, form, Exact(c[i]) + p * Exact(offset[i]))
            assert Exact(least[i]) <= exact
            needed += exact < 0
            size = np.abs(cut[i]).sum() * 1e6 + abs(offset[i])
            assert float(exact) - least[i] <= 1e3 * UNIT * dual_value * size + 1e4 * SMALL * 1e6
    assert needed or dual_value in (0.0, 1.0, 2.0**60)


@pytest.mark.parametrize("norm", PROVED)
@pytest.mark.parametrize("sharp", [False, True])
def test_what_is_taken_off_a_form_is_the_bound_of_its_sums(norm: Norm, sharp: bool) -> None:
    """Two sums of n terms: Higham's bound for 2 n operations, doubled (docs/SOUNDNESS.md), of all
    sizes; and not many times as much, or nothing could be proved near an optimum."""
    rng = np.random.default_rng(2)
    for inputs in (1, 3, 50, 400):
        ball = ball_of(norm, rng, inputs, far=10.0)
        a, c = full(rng, 4, inputs) * rng.choice([-1.0, 1.0], (4, inputs)), full(rng, 4)
        least = concretiser_of(ball).minimum(a, c, sharp=sharp)
        sizes = np.maximum(np.abs(ball.enclosing_box[0]), np.abs(ball.enclosing_box[1]))
        for i in range(4):
            exact = exact_least(ball, [Exact(x) for x in a[i].tolist()], Exact(c[i]))
            size = 2.0 * float(np.abs(a[i]) @ sizes) + abs(c[i])
            taken = float(exact - Exact(least[i]))
            computed = 4.0 * (inputs**0.5 + 4) * UNIT * size  # about what float64 itself errs by
            assert taken >= gamma(2 * inputs) * size - computed
            if norm is Norm.LINF or sharp:
                assert taken <= 3.0 * gamma(2 * inputs + 8) * size + computed


@pytest.mark.parametrize("norm", PROVED)
@pytest.mark.parametrize("exponent", [-1074, -1070, -1022, -600, 0, 600])
def test_products_that_underflow_prove_nothing(norm: Norm, exponent: int) -> None:
    rng = np.random.default_rng(3)
    for _ in range(30):
        ball = ball_of(norm, rng, 4)
        a = np.ldexp(rng.integers(-8, 9, (3, 4)).astype(float), exponent)
        c = np.ldexp(rng.integers(-8, 9, 3).astype(float), exponent)
        calculate = concretiser_of(ball)
        for least in (calculate.minimum(a, c), calculate.minimum_and_minimiser(a, c)[0]):
            for i in range(3):
                exact = exact_least(ball, [Exact(x) for x in a[i].tolist()], Exact(c[i]))
                assert Exact(least[i]) <= exact


@pytest.mark.parametrize("norm", PROVED)
def test_a_radius_is_proved_by_exact_arithmetic_and_nearly_all_of_it(norm: Norm) -> None:
    rng = np.random.default_rng(4)
    for _ in range(40):
        ball = ball_of(norm, rng, 5)
        a, c = rng.normal(size=(3, 5)), rng.normal(size=3)
        for form, constant, radius in zip(a, c, concretiser_of(ball).radius_of(a, c), strict=True):
            exact = [Exact(x) for x in form.tolist()]

            if radius > 0.0:
                assert exact_least(ball.with_radius(float(radius)), exact, Exact(constant)) > 0
            at_centre = exact_least(ball.with_radius(0.0), exact, Exact(constant))
            if radius < ball.radius and at_centre > 1e-9:
                beyond = ball.with_radius(float(radius) * (1.0 + 1e-5) + 1e-9)
                assert exact_least(beyond, exact, Exact(constant)) <= Exact(1e-5)


def network_of(bias: float) -> Replay:
    """One output: ``bias``, whatever the input; the condition says that it is above ``rhs``."""
    network = dense_network([np.zeros((1, 1))], [np.array([bias])])
    ball = Ball(np.zeros(1), -np.ones(1), np.ones(1), Norm.LINF, np.inf)
    return Replay(network, ball, OutputCondition(np.ones((1, 1)), np.zeros(1)))


@pytest.mark.parametrize("rhs", [-1.0, -(1.0 + 2.0**-52), -1e10, -3.0])
@pytest.mark.parametrize("bias", [-(2.0**-60), -(2.0**-54), 2.0**-53, 2.0**-60, 0.0])
def test_the_margin_of_a_witness_is_never_overstated(bias: float, rhs: float) -> None:
    """The right side may be far larger than the outputs: the difference rounds by a unit of it."""
    given = network_of(bias)
    condition = OutputCondition(np.ones((1, 1)), np.array([rhs]))
    witness = Replay(given.network, given.ball, condition)(np.zeros(1))
    assert witness is not None
    assert Exact(witness.margin) <= Exact(bias) - Exact(rhs)


def test_where_the_doubt_is_as_large_as_the_slack_exact_arithmetic_decides() -> None:
    """A slack equal to what rounding may be: the float bound on the margin is 0, the true one is
    not, and it is the true one that the witness has."""
    network = network_of(0.0).network
    ball = network_of(0.0).ball
    met = 0
    for units in range(64):
        rhs = -(SMALL + units * 2.0**-1074)
        witness = Replay(network, ball, OutputCondition(np.ones((1, 1)), np.array([rhs])))(
            np.zeros(1)
        )
        assert witness is not None
        assert 0.0 < witness.margin <= -rhs
        met += witness.margin == -rhs
    assert met > 5
