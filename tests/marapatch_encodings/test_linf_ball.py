"""L-infinity balls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from case_enumeration import LP, extremes
from hypothesis import given
from hypothesis import strategies as st
from strategies import dyadics, few

from marapatch_encodings import (
    VariablePool,
    linf_ball,
)

POOL = VariablePool()
XS = POOL.fresh_many("x", np.full(3, -1.0), np.ones(3))


@few
@given(weights=st.lists(dyadics(-2.0, 2.0), min_size=3, max_size=3), radius=dyadics(0.0, 4.0))
def test_linf_ball_has_the_support_function_of_the_ball(
    weights: list[float], radius: float
) -> None:
    pool = VariablePool()
    ds = pool.fresh_many("d", np.full(3, -4.0), np.full(3, 4.0))
    encoding = linf_ball(pool, ds, radius)
    found = extremes(pool, encoding.constraints, {}, dict(zip(ds, weights, strict=True)))
    support = radius * sum(map(abs, weights))
    assert found == pytest.approx((-support, support), abs=LP)


def test_linf_ball_leaves_out_what_the_bounds_say() -> None:
    pool = VariablePool()
    ds = pool.fresh_many("d", [-1.0, -3.0, -1.0], [1.0, 1.0, 1.25])
    assert linf_ball(pool, ds[:1], 1.0).constraints == ()
    assert len(linf_ball(pool, ds, 1.0).constraints) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linf_ball(POOL, XS, -1.0), "radius"),
        (lambda: linf_ball(POOL, XS, float("nan")), "radius"),
    ],
)
def test_bad_input_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
