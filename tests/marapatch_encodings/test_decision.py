"""Decisions and other conditions on outputs."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import inf

import numpy as np
import pytest

from marapatch_encodings import (
    Row,
    VariablePool,
    absolute,
    absolute_native,
    any_of,
    beats,
    each_beats,
    linear_condition,
    one_beats,
    untargeted,
)

POOL = VariablePool()
XS = POOL.fresh_many("x", np.full(3, -1.0), np.ones(3))


def test_one_alternative_needs_no_disjunction() -> None:
    pool = VariablePool()
    ys = pool.fresh_many("y", np.zeros(3), np.ones(3))
    assert one_beats(ys, {1}) == beats(ys, 1)
    assert untargeted(ys[:2], 0) == beats(ys[:2], 1)
    assert any_of([beats(ys, 1)]) == beats(ys, 1)


def test_relaxation_rounds_towards_the_weaker_condition() -> None:
    pool = VariablePool()
    ys = pool.fresh_many("y", np.zeros(2), np.ones(2))
    margin, relaxation = 1.0, 1e-17
    (lead,) = beats(ys, 0, "argmax", margin, relaxation).constraints
    assert isinstance(lead, Row)
    assert Fraction(lead.rhs) <= Fraction(margin) - Fraction(relaxation)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: beats(XS, 3), "class 3 does not exist"),
        (lambda: beats(XS, -1), "class -1 does not exist"),
        (lambda: beats(XS, 0, "max"), "no rule"),
        (lambda: beats(XS, 0, margin=-0.1), "margin"),
        (lambda: beats(XS, 0, relaxation=float("nan")), "relaxation"),
        (lambda: each_beats(XS, ()), "0 of 3 classes"),
        (lambda: each_beats(XS, (0, 1, 2)), "3 of 3 classes"),
        (lambda: one_beats(XS, (0, 1, 2)), "3 of 3 classes"),
        (lambda: one_beats(XS, (0, 5)), "class 5 does not exist"),
        (lambda: untargeted(XS, 4), "class 4 does not exist"),
        (lambda: untargeted(XS[:1], 0), "no alternative"),
        (lambda: linear_condition(XS, [[1.0, 2.0]], [0.0]), "shapes"),
        (lambda: linear_condition(XS, [[1.0, 2.0, 3.0]], [0.0, 1.0]), "shapes"),
        (lambda: linear_condition(XS, [[1.0, 2.0, inf]], [0.0]), "finite"),
        (lambda: any_of([]), "no alternative"),
        (lambda: any_of([untargeted(XS, 0)]), "rows only"),
        (lambda: any_of([absolute(POOL, XS[0])]), "rows only"),
        (lambda: absolute_native(POOL, XS[0]) and beats(XS, 0).variable, "defines no value"),
    ],
)
def test_bad_input_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
