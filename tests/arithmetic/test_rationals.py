"""Rational numbers as floats: to the named side, and no farther than the next number."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nextafter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marapatch.arithmetic.rationals import (
    down,
    exact_text,
    first_at_or_above,
    last_at_or_below,
    nearest,
    up,
)

LARGEST = Fraction(float(np.finfo(np.float64).max))
numbers = st.one_of(
    st.fractions(),
    st.floats(allow_nan=False, allow_infinity=False).map(Fraction),
    st.tuples(st.floats(-1e300, 1e300), st.integers(-3, 3)).map(
        lambda pair: Fraction(pair[0]) + Fraction(pair[1], 10**400)
    ),
)


@given(numbers)
def test_float64_to_either_side(value: Fraction) -> None:
    low, high = down(value), up(value)
    assert low <= high
    assert low == -inf or Fraction(low) <= value
    assert high == inf or value <= Fraction(high)
    assert high in (low, nextafter(low, inf))
    assert nearest(value) in (low, high)
    assert (low == high) == (
        nearest(value) not in (inf, -inf) and Fraction(nearest(value)) == value
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(value=numbers, strict=st.booleans())
def test_the_first_number_of_a_type(dtype: type, value: Fraction, strict: bool) -> None:
    kind = np.dtype(dtype)
    first = first_at_or_above(value, kind, strict=strict)
    assert first.dtype == kind
    if first != inf:
        assert Fraction(float(first)) > value or (not strict and Fraction(float(first)) == value)
    with np.errstate(over="ignore"):
        before = np.nextafter(first, dtype(-inf))
    if before != -inf:
        exact = Fraction(float(before))
        assert exact < value or (strict and exact == value)
    assert last_at_or_below(-value, kind, strict=strict) == -first


def test_zero_has_one_sign() -> None:
    assert str(down(Fraction(0))) == str(up(Fraction(0))) == "0.0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1, 10), "0.1"),
        (Fraction(-5, 4), "-1.25"),
        (Fraction(0), "0.0"),
        (Fraction(300), "300.0"),
        (Fraction(1, 3), "0." + "3" * 40),
        (Fraction(0.1), "0.1000000000000000055511151231257827021181583404541015625"),
    ],
)
def test_decimal_digits(value: Fraction, text: str) -> None:
    assert exact_text(value) == text
