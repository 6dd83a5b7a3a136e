"""Ranges of forms, rounded outward and no farther."""

from __future__ import annotations

from fractions import Fraction
from math import inf, isfinite, nextafter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from marapatch_encodings import (
    VariablePool,
    row,
)
from marapatch_encodings.intervals import absolute_range, linear_range, round_down, round_up


@given(st.fractions())
@example(Fraction(1, 10))
@example(Fraction(10) ** 400)
@example(-(Fraction(10) ** 400))
def test_rounding_goes_to_the_named_side_and_no_farther(exact: Fraction) -> None:
    low, high = round_down(exact), round_up(exact)
    assert low == -inf or Fraction(low) <= exact
    assert high == inf or exact <= Fraction(high)
    for end, beyond in ((low, inf), (high, -inf)):
        nearer = nextafter(end, beyond)
        if isfinite(nearer) and Fraction(end if isfinite(end) else nearer) != exact:
            assert (Fraction(nearer) > exact) == (beyond > 0)


def test_the_range_of_a_form_is_exact_where_numbers_are() -> None:
    pool = VariablePool()
    x, y = pool.fresh("x", -1.0, 2.0), pool.fresh("y", 0.5, 4.0)
    assert linear_range(pool, row({x: 2.0, y: -1.0}, "<=", 0.0), 0.25) == (-5.75, 3.75)
    z = pool.fresh("z")
    assert linear_range(pool, row({x: 1.0, z: 1.0}, "<=", 0.0)) == (-inf, inf)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((-1.0, 2.0), (0.0, 2.0)),
        ((-3.0, 2.0), (0.0, 3.0)),
        ((1.0, 2.0), (1.0, 2.0)),
        ((-2.0, -1.0), (1.0, 2.0)),
        ((-inf, 1.0), (0.0, inf)),
    ],
)
def test_the_range_of_an_absolute_value(
    ends: tuple[float, float], expected: tuple[float, float]
) -> None:
    assert absolute_range(*ends) == expected
