"""Leaky ReLUs."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import inf

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import many

from marapatch_encodings import (
    Row,
    VariablePool,
    leaky,
)

POOL = VariablePool()
XS = POOL.fresh_many("x", np.full(3, -1.0), np.ones(3))


@many
@given(
    slope=st.floats(-4.0, 4.0),
    ends=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=2).map(sorted),
)
@example(-3.9999999999999996, [1.0, 1.0])
@example(0.01, [-0.3, 0.7])
def test_leaky_is_off_by_no_more_than_it_says(slope: float, ends: list[float]) -> None:
    pool = VariablePool()
    x = pool.fresh("x", *ends)
    encoding = leaky(pool, x, slope)
    lower, upper = map(Fraction, pool.bounds(encoding.variable))
    (_, value_row) = encoding.constraints
    assert isinstance(value_row, Row)
    gain = dict(zip(value_row.variables.tolist(), value_row.coefficients.tolist(), strict=True))
    for end in map(Fraction, ends):
        intended = end if end >= 0 else Fraction(slope) * end
        encoded = Fraction(gain.get(x, 0.0)) * end + Fraction(gain.get(1, 0.0)) * max(end, 0)
        assert abs(encoded - intended) <= Fraction(2) ** -53 * (1 + abs(Fraction(slope))) * max(
            end, 0
        )
        assert lower <= encoded <= upper


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: leaky(POOL, XS[0], inf), "finite"),
    ],
)
def test_bad_input_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
