"""Clipping to an interval."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np
import pytest
from case_enumeration import LP, extremes

from marapatch_encodings import (
    VariablePool,
    clip,
)

POOL = VariablePool()
XS = POOL.fresh_many("x", np.full(3, -1.0), np.ones(3))


@pytest.mark.parametrize(("x", "expected"), [(-2.0, -0.5), (0.25, 0.25), (3.0, 1.0), (-0.5, -0.5)])
def test_the_value_is_clipped(x: float, expected: float) -> None:
    pool = VariablePool()
    variable = pool.fresh("x", -4.0, 4.0)
    encoding = clip(pool, variable, -0.5, 1.0)
    found = extremes(pool, encoding.constraints, {variable: x}, {encoding.variable: 1.0})
    assert found == pytest.approx((expected, expected), abs=LP)


def test_its_range_is_the_clipped_range() -> None:
    pool = VariablePool()
    assert pool.bounds(clip(pool, pool.fresh("x", 0.0, 4.0), -0.5, 1.0).variable) == (0.0, 1.0)
    assert pool.bounds(clip(pool, pool.fresh("y", 2.0, 4.0), -0.5, 1.0).variable) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: clip(POOL, XS[0], 1.0, 0.0), "low <= high"),
        (lambda: clip(POOL, XS[0], -inf, 0.0), "finite"),
    ],
)
def test_bad_input_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
