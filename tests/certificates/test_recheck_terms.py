"""The checker's terms of rounding, one operation at a time, against exact rationals: never less
than what was lost, and not much more."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain

import numpy as np
import pytest
import scipy.sparse as sp
from rounded_terms import UNIT, entries, numbers

from marapatch.certificates.recheck_bounds import Checker, Node
from marapatch.certificates.recheck_form import _product, _Vector
from marapatch.certificates.recheck_least import SMALL
from marapatch.network.affine_relu.standard_form import AffineMap
from marapatch.network.graph import dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.norm import PROVED, Norm

TINY = Fraction(1, 2**1074)


def vector(rng: np.random.Generator, rows: int, columns: int, *, exact: bool = False) -> _Vector:
    weight, bias = numbers(rng, rows, columns), numbers(rng, rows)
    error, bias_error = np.abs(numbers(rng, rows, columns)), np.abs(numbers(rng, rows))
    share = 0.0 if exact else 1e-10
    return _Vector(
        sp.csr_array(weight), sp.csr_array(share * error), bias, np.asarray(share * bias_error)
    )


def within(
    found: Fraction, stored: Fraction, error: Fraction, spread: Fraction, *, loose: Fraction
) -> None:
    """What is stored is within ``error`` of every number within ``spread`` of the true one, and
    ``error`` is at most ``loose`` larger than it must be."""
    assert abs(found - stored) + spread <= error
    assert error <= spread * (1 + 64 * UNIT) + loose


@pytest.mark.parametrize("factor", [1.0, -1.0, 2.0, -2.0, 0.3, 1e-200, 5e-324, -1.7e100])
@pytest.mark.parametrize("doubt", [0.0, 2.0**-53, 1e-3])
def test_a_scaled_vector(factor: float, doubt: float) -> None:
    rng = np.random.default_rng(5)
    for exact in (True, False):
        given = vector(rng, 4, 3, exact=exact)
        scaled = given.scaled(factor, doubt)
        c, share = Fraction(factor), abs(Fraction(factor)) * Fraction(doubt)
        pairs = [
            found
            for names in (("weight", "error"), ("bias", "bias_error"))
            for found in zip(
                *(chain(*entries(getattr(given, name))) for name in names),
                *(chain(*entries(getattr(scaled, name))) for name in names),
                strict=True,
            )
        ]
        for value, error, stored, bound in pairs:
            # |c' v' - c v| <= |c| e + |c' - c| (|v| + e), c' within the share, v' within e
            spread = abs(c) * error + share * (abs(value) + error)
            loose = (abs(c * value) + abs(c) * error) * (64 * UNIT + 3 * Fraction(doubt))
            loose += 8 * Fraction(SMALL)
            within(c * value, stored, bound, spread, loose=loose)
            if factor in (1.0, -1.0, 2.0) and not doubt:
                assert (stored, bound) == (c * value, abs(c) * error)
            if value == 0 and error == 0:
                assert bound == 0


def test_a_sum_of_vectors_is_rounded_where_two_numbers_meet() -> None:
    rng = np.random.default_rng(6)
    for _ in range(20):
        one, other = vector(rng, 4, 3), vector(rng, 4, 3)
        total = one.plus(other)
        for part in ("weight", "bias"):
            error = "error" if part == "weight" else "bias_error"
            a, b = (entries(getattr(v, part)) for v in (one, other))
            e, g = (entries(getattr(v, error)) for v in (one, other))
            stored, bound = entries(getattr(total, part)), entries(getattr(total, error))
            for i, row in enumerate(stored):
                for j, value in enumerate(row):
                    spread = e[i][j] + g[i][j]
                    loose = 40 * UNIT * abs(value) + 4 * TINY
                    within(a[i][j] + b[i][j], value, bound[i][j], spread, loose=loose)
                    if not (a[i][j] and b[i][j]) and not spread:
                        assert bound[i][j] == 0


def test_a_product_loses_no_more_than_it_says_and_nothing_where_it_selects() -> None:
    rng = np.random.default_rng(7)
    for trial in range(30):
        outer = numbers(rng, 3, 4)
        if trial % 3 == 0:  # one entry of 1 or -1 a row: a selection
            outer = np.zeros((3, 4))
            outer[np.arange(3), rng.integers(0, 4, 3)] = rng.choice([-1.0, 1.0], 3)
        inner = numbers(rng, 4, 2)
        found, lost = _product(sp.csr_array(outer), sp.csr_array(inner))
        stored, bound, a, b = map(entries, (found, lost, outer, inner))
        for i in range(3):
            for j in range(2):
                terms = [a[i][k] * b[k][j] for k in range(4)]
                assert abs(sum(terms, Fraction(0)) - stored[i][j]) <= bound[i][j]
                size = sum(map(abs, terms), Fraction(0))
                assert bound[i][j] <= 64 * UNIT * size + 8 * Fraction(SMALL)
                if trial % 3 == 0:
                    assert bound[i][j] == 0


def test_a_vector_through_a_matrix() -> None:
    rng = np.random.default_rng(8)
    for _ in range(20):
        given, matrix = vector(rng, 3, 2), numbers(rng, 4, 3)
        moved = given.times(sp.csr_array(matrix))
        m = entries(matrix)
        for part, error in (("weight", "error"), ("bias", "bias_error")):
            v, e = entries(getattr(given, part)), entries(getattr(given, error))
            stored, bound = entries(getattr(moved, part)), entries(getattr(moved, error))
            for i in range(4):
                for j in range(len(v[0])):
                    exact = sum((m[i][k] * v[k][j] for k in range(3)), Fraction(0))
                    spread = sum((abs(m[i][k]) * e[k][j] for k in range(3)), Fraction(0))
                    size = sum((abs(m[i][k] * v[k][j]) for k in range(3)), Fraction(0))
                    loose = 64 * UNIT * size + 16 * Fraction(SMALL)
                    within(exact, stored[i][j], bound[i][j], spread, loose=loose)


def one_neuron(low: float, high: float) -> tuple[Checker, Node]:
    """y = relu(x), x within [low, high]; the condition y >= 5 is met nowhere."""
    network = dense_network([np.ones((1, 1)), np.ones((1, 1))], [np.zeros(1), np.zeros(1)])
    centre = 0.5 * (low + high)
    ball = Ball(np.full(1, centre), np.full(1, low), np.full(1, high), Norm.LINF, high - centre)
    condition = OutputCondition(np.ones((1, 1)), np.full(1, 5.0))
    checker = Checker(network.standard_form, ball, condition)
    return checker, checker.root(())


@pytest.mark.parametrize(("low", "high", "sign"), [(1.0, 3.0, 1.0), (-3.0, -1.0, -1.0)])
def test_a_neuron_known_by_its_bounds_takes_a_multiplier_like_a_split_one(
    low: float, high: float, sign: float
) -> None:
    """Its phase says ``sign z >= 0``, whoever found it out."""
    checker, node = one_neuron(low, high)
    alpha = np.full(1, 1.0 if sign > 0.0 else 0.0)
    plain = checker.cut(node, alpha, np.zeros(1), np.ones(1))
    moved = checker.cut(node, alpha, np.full(1, 0.25), np.ones(1))
    assert moved.weights[0, 0] - plain.weights[0, 0] == pytest.approx(-0.25 * sign)
    assert moved.constant[0] == pytest.approx(plain.constant[0], abs=1e-12)


def test_an_open_neuron_takes_no_multiplier() -> None:
    checker, node = one_neuron(-1.0, 3.0)
    plain = checker.cut(node, np.full(1, 0.5), np.zeros(1), np.ones(1))
    moved = checker.cut(node, np.full(1, 0.5), np.full(1, 0.25), np.ones(1))
    assert moved.weights[0, 0] == plain.weights[0, 0]


@pytest.mark.parametrize("norm", PROVED)
def test_an_interval_is_exactly_nothing_where_nothing_comes_in(norm: Norm) -> None:
    """A row of zeros without a bias is 0 without any rounding; one whose bias alone is inexact is
    not."""
    bias_error = np.array([0.0, 1e-300])
    form = dense_network(
        [np.zeros((2, 1)), np.ones((1, 2))], [np.zeros(2), np.zeros(1)]
    ).standard_form
    first = form.hidden[0]
    hidden = AffineMap(first.sources, first.weights, first.bias, first.weight_errors, bias_error)
    checker = Checker(
        type(form)(form.inputs, (hidden,), form.output),
        Ball(np.zeros(1), -np.ones(1), np.ones(1), norm, 1.0),
        OutputCondition(np.ones((1, 1)), np.ones(1)),
    )
    low, high = checker.whole.low, checker.whole.high
    assert (low[0], high[0]) == (0.0, 0.0)
    assert low[1] <= -1e-300
    assert high[1] >= 1e-300
    assert high[1] <= 1e-300 * (1.0 + 1e-8) + 100 * SMALL


@pytest.mark.parametrize(("rows", "columns"), [(4, 3), (2, 5)])
def test_a_vector_moved_by_a_number(rows: int, columns: int) -> None:
    given = vector(np.random.default_rng(10), rows, columns)
    moved = given.moved(0.3)
    assert moved.weight.shape == (rows, columns)
    assert (moved.weight != given.weight).nnz == 0
    for i in range(rows):
        exact = Fraction(given.bias[i]) + Fraction(0.3)
        spread = Fraction(given.bias_error[i])
        error = Fraction(moved.bias_error[i])
        assert abs(exact - Fraction(moved.bias[i])) + spread <= error
        assert error <= spread * (1 + 64 * UNIT) + 40 * UNIT * abs(exact)
