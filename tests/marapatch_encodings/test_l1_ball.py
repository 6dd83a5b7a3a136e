"""L1 balls in every form."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf

import numpy as np
import pytest
from case_enumeration import LP, extremes
from hypothesis import given
from hypothesis import strategies as st
from strategies import dyadics, few

from marapatch_encodings import (
    VariablePool,
    l1_ball,
    l1_radius,
    worst_violation,
)
from marapatch_encodings.l1_ball import L1_FORMS, L1Form

POOL = VariablePool()
XS = POOL.fresh_many("x", np.full(3, -1.0), np.ones(3))


@pytest.mark.parametrize("form", L1_FORMS)
@few
@given(weights=st.lists(dyadics(-2.0, 2.0), min_size=3, max_size=3), radius=dyadics(0.0, 4.0))
def test_l1_ball_has_the_support_function_of_the_ball(
    form: L1Form, weights: list[float], radius: float
) -> None:
    pool = VariablePool()
    ds = pool.fresh_many("d", np.full(3, -4.0), np.full(3, 4.0))
    encoding = l1_ball(pool, ds, radius, form)
    found = extremes(pool, encoding.constraints, {}, dict(zip(ds, weights, strict=True)))
    support = radius * max(map(abs, weights))
    assert found == pytest.approx((-support, support), abs=LP)


def test_split_parts_are_not_the_positive_and_negative_part() -> None:
    """What the docstring warns of: d = 0 with both parts positive is a solution."""
    pool = VariablePool()
    d = pool.fresh("d", -1.0, 1.0)
    encoding = l1_ball(pool, [d], 1.0, "split")
    assert worst_violation(encoding.constraints, [0.0, 0.5, 0.5]) == 0.0


@pytest.mark.parametrize("form", L1_FORMS)
def test_a_ball_that_misses_the_box_is_infeasible_not_an_error(form: L1Form) -> None:
    pool = VariablePool()
    ds = pool.fresh_many("d", [2.0, -1.0], [3.0, 1.0])
    encoding = l1_ball(pool, ds, 1.5, form)
    assert extremes(pool, encoding.constraints, {}) is None


@pytest.mark.parametrize("form", L1_FORMS)
def test_l1_radius_costs_one_variable_more_than_the_ball(form: L1Form) -> None:
    kinds, variables = [], []
    for build in (lambda pool, ds: l1_ball(pool, ds, 2.0, form), partial(l1_radius, form=form)):
        pool = VariablePool()
        ds = pool.fresh_many("d", np.full(4, -1.0), np.ones(4))
        kinds.append([type(constraint) for constraint in build(pool, ds).constraints])
        variables.append(len(pool))
    assert kinds[0] == kinds[1]
    assert variables[0] + 1 == variables[1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        *((lambda form=form: l1_ball(POOL, XS, -1.0, form), "radius") for form in L1_FORMS),
        (lambda: l1_ball(POOL, XS, inf), "radius"),
        (lambda: l1_ball(POOL, XS, 1.0, "l2"), "no L1 form"),
        (lambda: l1_radius(POOL, XS, "l2"), "no L1 form"),
    ],
)
def test_bad_input_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
