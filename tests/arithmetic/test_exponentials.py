"""Sums of exponentials and logarithms, against series in exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marapatch.arithmetic.exponentials import exp_bounds, least_sum, log_bounds, sign_of_sum

rationals = st.fractions(min_value=-3, max_value=3, max_denominator=10**6)


def series(x: Fraction) -> tuple[Fraction, Fraction]:
    """An interval that holds exp(x), |x| <= 3, 10^-50 wide or less, from Taylor's series."""
    total, term = Fraction(1), Fraction(1)
    for k in range(1, 80):
        term = term * x / k
        total += term
    return total - abs(term), total + abs(term)  # later terms are less than this one together


@given(rationals)
def test_exponentials_and_logarithms_lie_within_their_bounds(x: Fraction) -> None:
    low, high = exp_bounds(x)
    least, most = series(x)
    assert low <= most
    assert least <= high
    assert high - low <= Fraction(1, 10**37) * high
    assert log_bounds(least)[0] <= x <= log_bounds(most)[1]


@given(st.lists(st.tuples(st.integers(-3, 3), rationals), min_size=1, max_size=5))
def test_the_sign_of_a_sum(terms: list[tuple[int, Fraction]]) -> None:
    coefficients, exponents = [Fraction(c) for c, _ in terms], [x for _, x in terms]
    low = sum(c * series(x)[0 if c > 0 else 1] for c, x in terms)
    high = sum(c * series(x)[1 if c > 0 else 0] for c, x in terms)
    sign = sign_of_sum(coefficients, exponents)
    assert sign is not None
    if sign == 0:
        assert low <= 0 <= high
    else:
        assert (high if sign > 0 else -low) > 0
    if low > 0 or high < 0:
        assert sign == (1 if low > 0 else -1)


@pytest.mark.parametrize(
    ("coefficients", "exponents", "sign"),
    [
        ((1, -1), (Fraction(1), Fraction(1)), 0),
        ((1, -1), (Fraction(1), Fraction(1) + Fraction(1, 10**300)), -1),
        ((2, -1, -1), (Fraction(10**9), Fraction(10**9), Fraction(10**9)), 0),
        ((1, -1), (Fraction(0), Fraction(-(10**300))), 1),
        ((-1, 10**9), (Fraction(0), Fraction(-(10**7))), -1),
        ((3, -5), (Fraction(-(10**12)), Fraction(-(10**12)) - 1), 1),  # 3 e > 5
        ((1, 2), (Fraction(-5), Fraction(7)), 1),
        ((-1, -2), (Fraction(-5), Fraction(7)), -1),
        ((0, 0), (Fraction(-5), Fraction(7)), 0),
    ],
)
def test_signs_that_float64_cannot_tell(
    coefficients: tuple[int, ...], exponents: tuple[Fraction, ...], sign: int
) -> None:
    assert sign_of_sum([Fraction(c) for c in coefficients], exponents) == sign


def test_a_sum_that_no_digits_tell_is_left_open() -> None:
    apart = Fraction(1, 10**2000)
    assert sign_of_sum([Fraction(1), Fraction(-1)], [Fraction(1), 1 + apart]) is None


def test_the_sign_over_intervals() -> None:
    one = [Fraction(1), Fraction(-1)]
    half = Fraction(1, 2)
    assert least_sum(one, [(Fraction(1), Fraction(2)), (Fraction(0), half)]) == 1
    assert least_sum(one, [(Fraction(0), half), (Fraction(1), Fraction(2))]) == -1
    assert least_sum(one, [(Fraction(0), Fraction(1)), (half, Fraction(2))]) is None
    assert least_sum(one, [(Fraction(1), Fraction(2)), (Fraction(1), Fraction(1))]) is None


def test_the_logarithm_of_1_is_exact() -> None:
    assert log_bounds(Fraction(1)) == (0, 0)
    low, high = log_bounds(1 + Fraction(1, 10**60))
    assert low <= Fraction(1, 10**60) <= high
    assert low <= 0 < high
