"""What the checker says of a node holds at exact points of it, with every rounding counted."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import islice

import exact_values
import numpy as np
import pytest
from claims import plain_claim, sparsely
from recorded_trees import built
from scipy.optimize import linprog
from small_networks import KINDS, branching_network, cancelling_balls, small_case

from marapatch.certificates.recheck import recheck_tree
from marapatch.certificates.recheck_bounds import Checker, Node
from marapatch.certificates.recheck_least import Form
from marapatch.errors import InputError
from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.graph import dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition, Rule, beats
from marapatch.problem.norm import PROVED, Norm


def test_maps_of_the_input_are_bounded_over_an_l1_ball() -> None:
    """A neuron x + y within a distance of 1 is at most 1, in a box that lets both go far."""
    network = dense_network([np.array([[1.0, 1.0]]), np.ones((2, 1))], [np.zeros(1), np.zeros(2)])
    ball = Ball(np.zeros(2), np.full(2, -5.0), np.full(2, 5.0), Norm.L1, 1.0)
    whole = Checker(network.standard_form, ball, beats(0, 2, Rule.ARGMAX)).whole
    assert (whole.low[0], whole.high[0]) == pytest.approx((-1.0, 1.0), abs=1e-12)


@pytest.mark.parametrize("norm", PROVED)
def test_the_least_value_under_a_cut_is_nearly_the_linear_programs(norm: Norm) -> None:
    """Also where a distance is spent on one entry in part, as in an L1 ball in a wide box."""
    rng = np.random.default_rng(9)
    network = dense_network([np.eye(3), np.ones((2, 3))], [np.zeros(3), np.zeros(2)])
    bound = 0
    for _ in range(20):
        ball = Ball(np.zeros(3), np.full(3, -5.0), rng.uniform(0.5, 5.0, 3), norm, 1.0)
        checker = Checker(network.standard_form, ball, beats(0, 2, Rule.ARGMAX))
        form, cut = rng.normal(size=(2, 3))
        level = float(rng.uniform(0.0, 0.6) * (np.abs(cut).max() if norm is Norm.L1 else 1.0))
        plus, minus = np.hstack([form, -form]), np.hstack([cut, -cut])
        least = linprog(
            plus,
            A_ub=np.stack([minus, np.ones(6)])[: 2 if norm is Norm.L1 else 1],
            b_ub=[-level, 1.0][: 2 if norm is Norm.L1 else 1],
            bounds=[(0.0, up) for up in (*np.minimum(ball.upper, 1.0), 1.0, 1.0, 1.0)],
        )
        if not least.success:  # no point of the ball is beyond the cut
            continue
        given = Form(cut[None], np.array([level]))
        found = checker.over.least_under(Form(form[None], np.zeros(1)), given)[0]
        alone = checker.over.least(Form(form[None], np.zeros(1)))[0][0]
        assert found <= least.fun + 1e-12
        assert found >= least.fun - 0.05 * (least.fun - alone) - 1e-12
        bound += alone < least.fun - 1e-3
    assert bound >= 5


def children(checker: Checker, rng: np.random.Generator, depth: int) -> list[Node]:
    """All nodes of a random tree, some under cuts of random multipliers."""
    neurons = checker.whole.low.size
    nodes = [checker.root([multipliers(checker, rng)] if rng.random() < 0.5 else [])]
    level = nodes
    for neuron in rng.permutation(neurons)[:depth].tolist():
        parents = [checker.with_cut(node, *multipliers(checker, rng)) for node in level]
        level = [checker.child(node, neuron, phase) for node in parents for phase in (1, -1)]
        nodes = [*nodes[:1], *level]
    return nodes


def multipliers(
    checker: Checker, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    neurons, rows = checker.whole.low.size, checker.condition.rhs.size
    beta = rng.exponential(size=neurons) * rng.integers(0, 2, neurons)
    return rng.uniform(-0.5, 1.5, neurons), beta, rng.exponential(size=rows)


def check(
    form: StandardForm,
    truth: StandardForm,
    ball: Ball,
    condition: OutputCondition,
    rng: np.random.Generator,
) -> int:
    """What ``checker`` says of ``form`` holds for ``truth`` at exact points; how often."""
    with np.errstate(all="ignore"):
        checker = Checker(form, ball, condition)
        nodes = children(checker, rng, 3)
        chosen = [multipliers(checker, rng) for _ in nodes]
        forms = [checker.cut(node, *parts) for node, parts in zip(nodes, chosen, strict=True)]
        radii = [checker.over.radius_of(form) for form in forms]
    met = 0
    for x in exact_values.points(ball, rng, 6):
        hidden, outputs = exact_values.evaluate(truth, x)
        z = [v for layer in hidden for v in layer]
        slacks = [
            sum(Fraction(w) * y for w, y in zip(row, outputs, strict=True)) - Fraction(rhs)
            for row, rhs in zip(condition.matrix.tolist(), condition.rhs.tolist(), strict=True)
        ]
        if min(slacks) < 0:
            continue
        away = [abs(a - Fraction(c)) for a, c in zip(x, ball.centre.tolist(), strict=True)]
        distance = max(away) if ball.norm is Norm.LINF else sum(away)
        for node, (_, _, row_multipliers), form_, radius in zip(
            nodes, chosen, forms, radii, strict=True
        ):
            if any(p * v < 0 for p, v in zip(node.phases.tolist(), z, strict=True)):
                continue
            met += 1
            assert not node.empty
            bounds = zip(node.low.tolist(), z, node.high.tolist(), strict=True)
            assert all(Fraction(a) <= v <= Fraction(b) for a, v, b in bounds)
            assert value(node.cut, x) <= 0
            mixed = sum(
                Fraction(m) * s for m, s in zip(row_multipliers.tolist(), slacks, strict=True)
            )
            assert value(form_, x) <= -mixed
            assert radius < distance or radius == 0.0
    return met


def value(form: Form, x: list[Fraction]) -> Fraction | float:
    """Exactly; minus infinity where it overflowed."""
    if not (np.isfinite(form.constant).all() and np.isfinite(form.weights).all()):
        return -np.inf
    weights = form.weights[0].tolist()
    return Fraction(form.constant[0]) + sum(
        Fraction(w) * v for w, v in zip(weights, x, strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_of_nodes_holds_at_exact_points(kind: str) -> None:
    rng = np.random.default_rng(0)
    met = 0
    for seed in range(3):
        case = small_case(seed, (kind,))
        form = case.network.standard_form
        for share in (0.3, 1.0):
            ball = case.ball.with_radius(share * case.ball.covering_radius)
            met += check(form, form, ball, case.condition, rng)
            y = case.network.evaluate(ball.centre)[0]  # what the centre is: easy to meet
            met += check(form, form, ball, beats(int(y.argmax()), y.size, Rule.ARGMAX), rng)
    assert met > 20


@pytest.mark.parametrize("norm", PROVED)
def test_rounding_is_accounted_for_where_values_are_all_rounding(norm: Norm) -> None:
    met = 0
    for form, ball, rng in islice(cancelling_balls(norm), 8):
        for target in (0, 1):
            met += check(form, form, ball, beats(target, 2, Rule.ARGMAX), rng)
    assert met > 50


@pytest.mark.parametrize("norm", PROVED)
def test_skip_connections_and_sparse_weights_at_exact_points(norm: Norm) -> None:
    rng = np.random.default_rng(1)
    met = 0
    for _ in range(2):
        form = branching_network(rng).standard_form
        sparse = StandardForm(form.inputs, tuple(map(sparsely, form.hidden)), sparsely(form.output))
        centre = rng.normal(size=3)
        ball = Ball(centre, centre - 0.3, centre + 0.2, norm, 10.0 ** rng.uniform(-2, 0))
        for target in (0, 1):
            met += check(sparse, form, ball, beats(target, 2, Rule.ARGMAX), rng)
    assert met > 10


def inexact(layer: AffineMap, rng: np.random.Generator, size: float) -> tuple[AffineMap, AffineMap]:
    """A map said to be inexact, and one that is as far from it as that allows."""
    errors = [size * np.abs(np.asarray(w)) * rng.random(w.shape) for w in layer.weights]
    shift = size * rng.random(layer.bias.size)
    said = replace(
        layer, weight_errors=tuple(errors), bias_error=np.nextafter(shift, np.inf) + 1e-12
    )
    moved = [
        w + 0.999999 * e * rng.choice([-1, 1], e.shape)
        for w, e in zip(layer.weights, errors, strict=True)
    ]
    return said, replace(
        layer, weights=tuple(moved), bias=layer.bias + shift * rng.choice([-1, 1], shift.size)
    )


@pytest.mark.parametrize("size", [1e-9, 0.1, 2.0])
def test_inexact_coefficients_are_accounted_for(size: float) -> None:
    rng = np.random.default_rng(2)
    met = 0
    for seed in range(4):
        case = small_case(seed, ("plain",))
        form = case.network.standard_form
        pairs = [inexact(layer, rng, size) for layer in (*form.hidden, form.output)]
        said = StandardForm(form.inputs, tuple(p[0] for p in pairs[:-1]), pairs[-1][0])
        truth = StandardForm(form.inputs, tuple(p[1] for p in pairs[:-1]), pairs[-1][1])
        y = truth.evaluate(case.ball.centre[None])[0]
        condition = beats(int(y.argmax()), y.size, Rule.ARGMAX)
        met += check(
            said, truth, case.ball.with_radius(0.3 * case.ball.covering_radius), condition, rng
        )
    assert met > 20


@pytest.mark.parametrize("power", [-290, -305, 100])
def test_underflow_and_large_numbers(power: int) -> None:
    """Products of such weights are lost to underflow, or near to overflow."""
    rng = np.random.default_rng(3)
    met = 0
    for seed in range(4):
        case = small_case(seed, ("plain",))
        form = case.network.standard_form
        scale = 10.0 ** np.array([power, -power, power])
        layers = [
            replace(layer, weights=(np.asarray(layer.weights[0]) * s,), bias=layer.bias * b)
            for layer, s, b in zip(
                (*form.hidden, form.output), scale, (scale[0], 1.0, scale[2]), strict=True
            )
        ]
        scaled = StandardForm(form.inputs, tuple(layers[:-1]), layers[-1])
        y = scaled.evaluate(case.ball.centre[None])[0]
        condition = beats(int(y.argmax()), y.size, Rule.ARGMAX)
        met += check(
            scaled, scaled, case.ball.with_radius(0.3 * case.ball.covering_radius), condition, rng
        )
    assert met > 20


def test_what_underflows_is_not_taken_for_nothing() -> None:
    """A mix so small that the coefficient of a large activation is lost, and that of 0.5 not."""
    network = dense_network(
        [np.array([[1e149]]), np.array([[1e-149], [0.0]])], [np.zeros(1), np.array([0.0, 0.5])]
    )
    ball = Ball(np.zeros(1), np.zeros(1), np.ones(1), Norm.LINF, np.inf)  # the optimum is 0.5
    condition = beats(0, 2, Rule.ARGMAX)
    record = built([(-1, 0, 0)], 1, 1)
    found = recheck_tree(record, network.standard_form, ball, condition).radius
    assert found == pytest.approx(0.5, abs=1e-6)
    small = replace(record, row_multipliers=np.full((1, 1), 1e-180))
    assert recheck_tree(small, network.standard_form, ball, condition).radius <= 0.5


def test_values_too_large_for_the_arithmetic_are_refused() -> None:
    network = dense_network([np.full((2, 1), 1e200), np.eye(2)], [np.zeros(2), np.zeros(2)])
    ball = Ball(np.array([0.5]), np.zeros(1), np.ones(1), Norm.LINF, np.inf)
    record = built([(-1, 0, 0)], 2, 1, 0.1)
    with pytest.raises(InputError, match="cannot be checked in float64"):
        recheck_tree(record, network.standard_form, ball, beats(0, 2, Rule.ARGMAX))


def test_overflow_proves_nothing() -> None:
    """No NaN may slip through a comparison: it would read as a bound."""
    network = dense_network(
        [np.full((2, 1), 1e149), np.full((2, 2), 1e160), np.eye(2)], [np.zeros(2)] * 3
    )
    ball = Ball(np.array([0.5]), np.zeros(1), np.ones(1), Norm.L1, 0.25)
    with np.errstate(all="ignore"), pytest.raises(InputError, match="cannot be checked"):
        Checker(network.standard_form, ball, beats(0, 2, Rule.ARGMAX))
    checker = Checker(plain_claim().form, plain_claim().ball, beats(0, 3, Rule.ARGMAX))
    with np.errstate(all="ignore"):
        huge = Form(np.array([[1e308, -1e308]]), np.array([1e308]))
        for cut in (huge, Form(np.array([[np.nan, 1.0]]), np.array([np.inf]))):
            assert not np.isnan(checker.over.least_under(Form(np.eye(2), np.zeros(2)), cut)).any()
            assert checker.over.radius_of(cut) == 0.0
        node = checker.root([(np.full(6, np.nan), np.full(6, np.inf), np.full(2, 1e308))])
        assert np.isfinite(node.low).all()
        assert np.isfinite(node.high).all()
