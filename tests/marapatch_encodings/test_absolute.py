"""Absolute values, by a ReLU and by the solver's own constraint."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from case_enumeration import LP, extremes

from marapatch_encodings import (
    Encoding,
    Variable,
    VariablePool,
    absolute,
    absolute_native,
)


@pytest.mark.parametrize("encode", [absolute, absolute_native])
@pytest.mark.parametrize(("x", "size"), [(-2.0, 2.0), (0.0, 0.0), (1.5, 1.5)])
def test_the_value_is_the_absolute_value_and_no_other(
    encode: Callable[[VariablePool, Variable], Encoding], x: float, size: float
) -> None:
    pool = VariablePool()
    variable = pool.fresh("x", -3.0, 2.0)
    encoding = encode(pool, variable)
    found = extremes(pool, encoding.constraints, {variable: x}, {encoding.variable: 1.0})
    assert found == pytest.approx((size, size), abs=LP)


@pytest.mark.parametrize("encode", [absolute, absolute_native])
@pytest.mark.parametrize(
    ("ends", "expected"),
    [((-3.0, 2.0), (0.0, 3.0)), ((1.0, 2.0), (1.0, 2.0)), ((-3.0, -1.0), (1.0, 3.0))],
)
def test_its_range_is_that_of_the_absolute_value(
    encode: Callable[[VariablePool, Variable], Encoding],
    ends: tuple[float, float],
    expected: tuple[float, float],
) -> None:
    pool = VariablePool()
    assert pool.bounds(encode(pool, pool.fresh("x", *ends)).variable) == expected
