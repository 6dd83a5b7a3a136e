"""Rows joined by a sum of exponentials, in float64."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from marapatch.problem.row_groups import Groups


def test_groups_of_rows_in_float64() -> None:
    groups = Groups(np.array([0, 1]))
    slack = np.array([[0.5, log(0.25), log(0.5)], [0.5, log(0.75), log(0.5)]])
    np.testing.assert_allclose(groups.slack(slack), [[0.5, log(0.75)], [0.5, log(1.25)]])
    np.testing.assert_allclose(groups.shares(slack)[0], [0.0, 1 / 3, 2 / 3])
    # missed by log 4 and log 2: 1/4 + 1/2 < 1, refuted; by log 2 each: not
    refuted = groups.refuted(np.array([[-1.0, log(4), log(2)], [-1.0, log(2), log(2)]]))
    assert refuted[0] == pytest.approx(log(4 / 3))
    assert refuted[1] <= 0.0
    single = Groups(np.arange(2))
    least = np.array([[1e-300, -3.0], [-1e-300, -2.0]])
    np.testing.assert_array_equal(single.refuted(least), [1e-300, -1e-300])


def test_a_row_whose_bound_overflowed_refutes_nothing() -> None:
    """0 times infinity is NaN, which is neither above 0 nor at most 0."""
    least = np.array([[-np.inf, 1.0], [-np.inf, -np.inf], [-np.inf, -2.0], [np.nan, -1.0]])
    with np.errstate(all="ignore"):
        single = Groups(np.arange(2)).refuted(least)
        joined = Groups(np.array([0])).refuted(least)
    assert single.tolist() == [1.0, -np.inf, -2.0, -1.0]
    assert not (joined > 0.0).any()
    assert not np.isnan(joined).any()
