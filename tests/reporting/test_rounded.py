"""Ends of brackets rounded to few digits, away from each other."""

from __future__ import annotations

from decimal import Decimal
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marapatch.reporting.rounded import rounded_down, rounded_up


@given(st.floats(min_value=0.0, allow_nan=False, allow_infinity=False))
def test_rounded_bounds_stay_true_and_are_close(value: float) -> None:
    down, exact, up = map(Decimal, (rounded_down(value), value, rounded_up(value)))
    assert down <= exact <= up
    assert up - down <= exact * Decimal("1e-5")


@pytest.mark.parametrize(
    ("value", "down", "up"),
    [
        (0.0, "0", "0"),
        (0.03123456, "0.0312345", "0.0312346"),
        (1.0, "1.00000", "1.00000"),
        (3.1622776, "3.16227", "3.16228"),
        (1.23456789e-7, "1.23456e-7", "1.23457e-7"),
        (inf, "inf", "inf"),
    ],
)
def test_how_bounds_are_written(value: float, down: str, up: str) -> None:
    assert (rounded_down(value), rounded_up(value)) == (down, up)
