"""Limits on how many entries differ from 0."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from case_enumeration import extremes

from marapatch_encodings import (
    Variable,
    VariablePool,
    cardinality,
)

POOL = VariablePool()
XS = POOL.fresh_many("x", np.full(3, -1.0), np.ones(3))


@pytest.mark.parametrize("limit", [0, 1, 2, 3])
def test_exactly_the_points_with_few_entries_are_left(limit: int) -> None:
    pool = VariablePool()
    ds = pool.fresh_many("d", [-1.0, -2.0, 0.0], [1.0, 2.0, 3.0])
    encoding = cardinality(pool, ds, limit)
    for point in product([-1.0, 0.0, 1.0], [-2.0, 0.0, 0.5], [0.0, 3.0]):
        found = extremes(pool, encoding.constraints, dict(zip(ds, point, strict=True)))
        assert (found is not None) == (np.count_nonzero(point) <= limit), point


def test_an_entry_that_cannot_be_zero_counts_from_the_start() -> None:
    pool = VariablePool()
    ds = pool.fresh_many("d", [1.0, -1.0], [2.0, 1.0])
    before = len(pool)
    cardinality(pool, ds, 1)
    assert [pool.bounds(Variable(before + i)) for i in range(2)] == [(1.0, 1.0), (0.0, 1.0)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cardinality(POOL, XS, -1), "limited"),
    ],
)
def test_bad_input_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
