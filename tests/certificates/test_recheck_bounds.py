"""The checker's relaxations, intervals and forms, against the same worked out in rationals: on the
right side of it, and no further away than rounding explains."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from small_networks import branching_network

from marapatch.certificates import recheck_bounds
from marapatch.certificates.recheck_bounds import LARGEST_VALUE, Checker, Node
from marapatch.certificates.recheck_least import SMALL, Form
from marapatch.errors import InputError
from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.graph import dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.norm import PROVED, Norm

UNIT = Fraction(1, 2**53)

Affine = tuple[list[Fraction], Fraction]
"""Coefficients of the input, and a constant."""


def rationals(values: np.ndarray) -> list[Fraction]:
    return [Fraction(value) for value in np.asarray(values).tolist()]


def relu(value: Fraction) -> Fraction:
    return max(value, Fraction(0))


# --- the triangle around a ReLU ---

ENDS = (0.0, 5e-324, 1e-310, 1e-200, 0.1, 1.0, 3.0, 2.0**60, 1e149)


@pytest.mark.parametrize("alpha", [None, -1.0, 0.0, 0.3, 1.0, 7.0])
def test_the_lines_around_a_relu(alpha: float | None) -> None:
    pairs = [(-a, b) for a, b in product(ENDS, ENDS)]
    pairs += [(a, 2.0 * a) for a in ENDS] + [(-2.0 * a, -a) for a in ENDS]
    low, high = (np.array(ends) for ends in zip(*pairs, strict=True))
    count = low.size
    network = dense_network(
        [np.ones((count, 1)), np.ones((1, count))], [np.zeros(count), np.zeros(1)]
    )
    ball = Ball(np.zeros(1), -np.ones(1), np.ones(1), Norm.LINF, 1.0)
    checker = Checker(network.standard_form, ball, OutputCondition(np.ones((1, 1)), np.ones(1)))
    node = Node(low, high, np.zeros(count), checker.whole.cut)
    slopes = None if alpha is None else np.full(count, alpha)
    line = checker._line(node, slice(0, count), slopes)
    for below, above, offset, a, b in zip(
        *map(rationals, (line.lower, line.upper, line.offset, low, high)), strict=True
    ):
        assert 0 <= below <= 1
        assert alpha is None or below == Fraction(min(max(alpha, 0.0), 1.0))
        for z in (a, b, relu(a) if a > 0 else min(Fraction(0), b), (a + b) / 2):
            assert below * z <= relu(z) <= above * z + offset
        lost = 80 * UNIT * (abs(a) + b) + 8 * Fraction(SMALL) * (1 + abs(a) + b)
        for z in (a, b):
            assert above * z + offset - relu(z) <= lost
        if not a < 0 < b:  # the phase is known: nothing is rounded
            assert offset == 0
            assert above == (1 if a >= 0 else 0)
        if alpha is None:  # the smaller of the two triangles
            assert below == (1 if a >= 0 or (b > 0 and b > -a) else 0)


# --- intervals ---


def weights_of(layer: AffineMap) -> list[tuple[int, list[list[Fraction]]]]:
    pairs = zip(layer.sources, layer.weights, strict=True)
    return [(source, [rationals(row) for row in np.asarray(w)]) for source, w in pairs]


def exact_intervals(form: StandardForm, ball: Ball) -> list[tuple[Fraction, Fraction]]:
    """By interval arithmetic over the box, of every pre-activation."""
    ranges = [list(zip(rationals(ball.lower), rationals(ball.upper), strict=True))]
    found = []
    for layer in form.hidden:
        here = []
        for i, bias in enumerate(rationals(layer.bias)):
            low = high = bias
            for source, weight in weights_of(layer):
                for w, (a, b) in zip(weight[i], ranges[source], strict=True):
                    low += min(w * a, w * b)
                    high += max(w * a, w * b)
            here.append((low, high))
        found += here
        ranges.append([(relu(low), relu(high)) for low, high in here])
    return found


@pytest.mark.parametrize("seed", range(6))
def test_intervals_of_a_network_with_skip_connections(seed: int) -> None:
    rng = np.random.default_rng(seed)
    form = branching_network(rng).standard_form
    centre = rng.normal(size=3)
    ball = Ball(centre, centre - rng.random(3), centre + rng.random(3), Norm.LINF, 1.0)
    condition = OutputCondition(np.ones((1, form.outputs)), np.zeros(1))
    whole = Checker(form, ball, condition).whole
    for (a, b), low, high in zip(
        exact_intervals(form, ball), *map(rationals, (whole.low, whole.high)), strict=True
    ):
        assert low <= a
        assert high >= b
        # the largest value by interval arithmetic is below 100 in these networks
        assert a - low <= Fraction(1, 10**11)
        assert high - b <= Fraction(1, 10**11)
        assert abs(a) < 100 > abs(b)


@pytest.mark.parametrize("norm", PROVED)
def test_rows_in_blocks_are_the_rows(norm: Norm, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    form = dense_network(
        [rng.normal(size=(5, 4)), rng.normal(size=(2, 5))], [rng.normal(size=5), np.zeros(2)]
    ).standard_form
    ball = Ball(np.zeros(4), -np.ones(4), np.ones(4), norm, 0.5)
    condition = OutputCondition(np.ones((1, 2)), np.zeros(1))
    whole = Checker(form, ball, condition).whole
    for entries in (1, 8, 11):
        monkeypatch.setattr(recheck_bounds, "BLOCK_ENTRIES", entries)
        parts = Checker(form, ball, condition).whole
        assert parts.low == pytest.approx(whole.low, abs=1e-13)
        assert parts.high == pytest.approx(whole.high, abs=1e-13)


def test_values_are_refused_from_a_largest_one_on() -> None:
    condition = OutputCondition(np.ones((1, 1)), np.zeros(1))
    ball = Ball(np.zeros(1), -np.ones(1), np.ones(1), Norm.LINF, 1.0)
    for size, refused in ((0.99 * LARGEST_VALUE, False), (1.01 * LARGEST_VALUE, True)):
        for sign in (1.0, -1.0):
            weights = [np.full((1, 1), sign * size), np.full((1, 1), 1e-150)]
            form = dense_network(weights, [np.zeros(1), np.zeros(1)]).standard_form
            if refused:
                with pytest.raises(InputError, match="not all below 1e\\+150"):
                    Checker(form, ball, condition)
            else:
                assert Checker(form, ball, condition).whole.high[0] >= size
    wide = Ball(np.zeros(1), np.full(1, -1e151), np.ones(1), Norm.LINF, 1e151)
    small = dense_network([np.full((1, 1), 1e-9)] * 2, [np.zeros(1)] * 2).standard_form
    with pytest.raises(InputError, match="not all below"):
        Checker(small, wide, condition)


# --- linear forms, back through the layers ---


def exact_cut(
    checker: Checker, node: Node, alpha: np.ndarray, beta: np.ndarray, rows: np.ndarray
) -> tuple[Affine, Fraction]:
    """``- rows . (C y - d) - beta . (sign z)`` relaxed by the exact triangles, and the size of what
    was added up: rounding errors are relative to it."""
    form, condition = checker.form, checker.condition
    low, high = rationals(node.low), rationals(node.high)
    mixed = [
        -sum((Fraction(m) * Fraction(c) for m, c in zip(rows, column, strict=True)), Fraction(0))
        for column in condition.matrix.T.tolist()
    ]
    total = sum(
        (Fraction(m) * Fraction(d) for m, d in zip(rows, condition.rhs, strict=True)), Fraction(0)
    )
    size = sum((abs(Fraction(m) * Fraction(d)) for m, d in zip(rows, condition.rhs, strict=True)))
    reach = [rationals(part) for part in checker.sizes]
    into = {s: [Fraction(0)] * width for s, width in enumerate(form.sizes)}
    size = Fraction(size)

    def through(layer: AffineMap, coefficients: list[Fraction]) -> None:
        nonlocal total, size
        for i, (c, bias) in enumerate(zip(coefficients, rationals(layer.bias), strict=True)):
            total += c * bias
            size += abs(c * bias)
            for source, weight in weights_of(layer):
                for j, w in enumerate(weight[i]):
                    into[source][j] += c * w
                    size += abs(c * w) * reach[source][j]

    through(form.output, mixed)
    for k in range(len(form.hidden), 0, -1):
        span = checker.spans[k - 1]
        coefficients = []
        for j, n in enumerate(range(span.start, span.stop)):
            c = into[k][j]
            a, b = low[n], high[n]
            slope = min(max(Fraction(alpha[n]), Fraction(0)), Fraction(1))
            if c < 0:
                slope = Fraction(int(a >= 0)) if not a < 0 < b else b / (b - a)
                total -= c * slope * a if a < 0 < b else 0
                size += abs(c * a)
            sign = 1 if a >= 0 else -1 if b <= 0 else int(node.phases[n])
            extra = -sign * max(Fraction(beta[n]), Fraction(0))
            coefficients.append(c * slope + extra)
            size += (abs(c * slope) + abs(extra)) * max(abs(a), abs(b))
        through(form.hidden[k - 1], coefficients)
    return (into[0], total), size


def at(affine: Affine, x: list[Fraction]) -> Fraction:
    return affine[1] + sum((w * v for w, v in zip(affine[0], x, strict=True)), Fraction(0))


def as_affine(form: Form) -> Affine:
    return rationals(form.weights[0]), Fraction(form.constant[0])


@pytest.mark.parametrize("scale", [1.0, 1e-8, 2.0**60, 1e-300])
@pytest.mark.parametrize("kind", ["dense", "skipping", "cancelling"])
def test_a_cut_is_just_below_what_it_stands_for(kind: str, scale: float) -> None:
    rng = np.random.default_rng(11)
    for _ in range(5):
        if kind == "skipping":
            form = branching_network(rng).standard_form
        else:
            sizes = (3, 4, 4, 2)
            weights = [rng.normal(size=(b, a)) for a, b in pairwise(sizes)]
            biases = [rng.normal(size=b) for b in sizes[1:]]
            if kind == "cancelling":  # what two neurons hold, 2^60 in size, is subtracted again
                biases[0][:2] += 2.0**60
                weights[1][:, 1] = -weights[1][:, 0] * (1.0 + 2.0**-50)
            form = dense_network(weights, biases).standard_form
        centre = rng.normal(size=3)
        ball = Ball(centre, centre - 0.4, centre + 0.3, Norm.LINF, 1.0)
        matrix = rng.normal(size=(2, form.outputs))
        checker = Checker(form, ball, OutputCondition(matrix, rng.normal(size=2)))
        neurons = checker.whole.low.size
        node = checker.root(())
        for neuron in rng.permutation(neurons)[:2].tolist():
            node = checker.child(node, neuron, int(rng.choice([-1, 1])))
        alpha, rows = rng.uniform(-0.3, 1.3, neurons), scale * rng.exponential(size=2)
        beta = scale * rng.exponential(size=neurons) * rng.integers(0, 2, neurons)
        found = as_affine(checker.cut(node, alpha, beta, rows))
        exact, size = exact_cut(checker, node, alpha, beta, rows)
        ends = zip(rationals(ball.lower), rationals(ball.upper), strict=True)
        # coefficients of the neurons may be off by rounding too: sizes stay below 2^70
        loose = 2000 * UNIT * size + 10**4 * Fraction(SMALL) * 2**70
        for corner in product(*ends):
            assert at(found, list(corner)) <= at(exact, list(corner))
            assert at(found, list(corner)) >= at(exact, list(corner)) - loose


def test_a_neurons_bounds_are_those_of_its_form() -> None:
    """z = relu(x + y) - relu(x - y), x and y in [-1, 1]: by interval arithmetic at most 2; by the
    lines z <= 0.5 (x + y) + 1 - 0 and so on at most 2, too; where x + y >= 0 and x - y <= 0 are
    split, z is x + y itself, and at most 2."""
    first = np.array([[1.0, 1.0], [1.0, -1.0]])
    form = dense_network(
        [first, np.array([[1.0, -1.0]]), np.ones((1, 1))],
        [np.zeros(2), np.full(1, 0.5), np.zeros(1)],
    ).standard_form
    ball = Ball(np.zeros(2), -np.ones(2), np.ones(2), Norm.LINF, 1.0)
    checker = Checker(form, ball, OutputCondition(np.ones((1, 1)), np.full(1, 9.0)))
    root = checker.root(())
    assert (root.low[:2], root.high[:2]) == (
        pytest.approx([-2.0, -2.0]),
        pytest.approx([2.0, 2.0]),
    )
    # below: 0 <= relu, and relu(x - y) <= 0.5 (x - y) + 1; as 2 > -(-2) is false, the slope is 0
    assert (root.low[2], root.high[2]) == (pytest.approx(-1.5), pytest.approx(2.5))
    active = checker.child(checker.child(root, 0, 1), 1, 1)  # z = 2 y + 0.5
    assert (active.low[2], active.high[2]) == (pytest.approx(-1.5), pytest.approx(2.5))
    other = checker.child(checker.child(root, 0, 1), 1, -1)  # z = x + y + 0.5, x + y >= 0
    assert (other.low[2], other.high[2]) == (pytest.approx(0.5), pytest.approx(2.5))
    for node, phases in ((active, [1, 1, 0]), (other, [1, -1, 0])):
        assert node.phases.tolist() == phases
        assert node.low[0] == 0.0
    none = checker.child(checker.child(root, 0, -1), 1, -1)  # z = 0.5, whatever x and y are
    assert (none.low[2], none.high[2]) == (pytest.approx(0.5), pytest.approx(0.5))
    assert not none.empty
    assert checker.child(none, 2, -1).empty  # 0.5 <= 0


def test_a_cut_narrows_what_is_bounded_under_it() -> None:
    """y = relu(x) + relu(-x) >= 1.5 for x in [-1, 2]: under its own cut x is at least 0."""
    form = dense_network(
        [np.array([[1.0], [-1.0]]), np.ones((1, 2))], [np.zeros(2), np.zeros(1)]
    ).standard_form
    ball = Ball(np.full(1, 0.5), np.full(1, -1.0), np.full(1, 2.0), Norm.LINF, 1.5)
    checker = Checker(form, ball, OutputCondition(np.ones((1, 1)), np.full(1, 1.5)))
    nothing, rows = np.zeros(2), np.ones(1)
    # relu(x) <= 2/3 (x + 1), relu(-x) <= 1/3 (-x + 2): y <= 4/3 + x/3, so x >= 0.5
    node = checker.root([(np.ones(2), nothing, rows)])
    assert (node.low[0], node.high[1]) == (pytest.approx(0.5), pytest.approx(-0.5))
    again = checker.root([(np.ones(2), nothing, rows)] * 2)  # now y = x, so x >= 1.5
    assert (again.cut.weights[0, 0], again.cut.constant[0]) == (
        pytest.approx(-1.0),
        pytest.approx(1.5),
    )
    assert checker.root([(np.ones(2), nothing, 0.0 * rows)]).low[0] == pytest.approx(-1.0)
