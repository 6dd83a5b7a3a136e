"""Linear forms with a variable of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from math import inf, isinf, nextafter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import many

from marapatch_encodings import (
    VariablePool,
    linear,
)

POOL = VariablePool()
XS = POOL.fresh_many("x", np.full(3, -1.0), np.ones(3))


@many
@given(
    st.lists(
        st.tuples(
            st.floats(-1e300, 1e300),
            st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=2).map(sorted),
        ),
        max_size=4,
    ),
    st.floats(-1e9, 1e9),
)
@example([(1e300, [1e9, 1e9])], 0.0)
@example([(-1e300, [1e9, 1e9])], 0.0)
@example([(0.1, [0.1, 0.3]), (1.0, [0.2, 0.2])], 0.7)
def test_linear_bounds_are_rounded_outward(
    terms: list[tuple[float, list[float]]], constant: float
) -> None:
    pool = VariablePool()
    xs = [pool.fresh("x", *ends) for _, ends in terms]
    encoding = linear(pool, [(x, c) for x, (c, _) in zip(xs, terms, strict=True)], constant)
    lower, upper = pool.bounds(encoding.variable)
    products = [sorted(Fraction(c) * Fraction(end) for end in ends) for c, ends in terms]
    low = sum((p[0] for p in products), Fraction(constant))
    high = sum((p[1] for p in products), Fraction(constant))
    assert isinf(lower) or Fraction(lower) <= low
    assert isinf(upper) or high <= Fraction(upper)
    for bound, exact, inward in ((lower, low, inf), (upper, high, -inf)):
        if isinf(bound):
            assert abs(exact) > Fraction(sys.float_info.max)
            continue
        if Fraction(bound) == exact:
            continue
        nearer = nextafter(bound, inward)  # infinite where the exact end is beyond all floats
        assert isinf(nearer) or (Fraction(nearer) > exact) == (inward > 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linear(POOL, {XS[0]: 1.0}, within=(2.0, 3.0)), "empty"),
    ],
)
def test_bad_input_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
