"""The ranges that encodings give their own variables: as narrow as the function's."""

from __future__ import annotations

from math import inf

import pytest

from marapatch_encodings.l1_ball import L1_FORMS
from marapatch_encodings.leaky import leaky
from marapatch_encodings.terms import VariablePool


@pytest.mark.parametrize("form", L1_FORMS)
@pytest.mark.parametrize(("low", "high"), [(-2.0, 3.0), (-2.0, -1.0), (1.0, 3.0), (-9.0, 9.0)])
def test_parts_of_a_sum_of_sizes_are_never_negative_nor_beyond_the_radius(
    form: str, low: float, high: float
) -> None:
    pool = VariablePool()
    d = pool.fresh("d", low, high)
    known = len(pool)
    L1_FORMS[form](pool, [d], 4.0)  # type: ignore[index]
    for index in range(known, len(pool)):
        lower, upper = pool.bounds(index)
        assert 0.0 <= lower <= upper <= 4.0


@pytest.mark.parametrize("slope", [0.0, 0.5, -0.5])
def test_a_leaky_relu_without_end_has_the_range_of_its_slopes(slope: float) -> None:
    pool = VariablePool()
    x = pool.fresh("x", -inf, 2.0)
    lower, upper = pool.bounds(leaky(pool, x, slope).variable)
    if slope == 0.0:
        assert (lower, upper) == (0.0, 2.0)
    elif slope > 0.0:
        assert (lower, upper) == (-inf, 2.0)
    else:
        assert (lower, upper) == (0.0, inf)
