"""Maxima of several variables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from case_enumeration import LP, extremes

from marapatch_encodings import (
    VariablePool,
    maximum,
    maximum_native,
)

POOL = VariablePool()
XS = POOL.fresh_many("x", np.full(3, -1.0), np.ones(3))


def test_maximum_of_the_same_variable_twice() -> None:
    pool = VariablePool()
    x = pool.fresh("x", -1.0, 2.0)
    encoding = maximum(pool, [x, x])
    found = extremes(pool, encoding.constraints, {x: -0.5}, {encoding.variable: 1.0})
    assert found == pytest.approx((-0.5, -0.5), abs=LP)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: maximum(POOL, []), "at least one"),
        (lambda: maximum_native(POOL, []), "at least one"),
    ],
)
def test_bad_input_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
