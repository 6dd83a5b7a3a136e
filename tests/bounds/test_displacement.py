"""A change of the input as columns of a linear program: the same change, whichever columns."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from marapatch.bounds.displacement import displacement
from marapatch.problem.ball import Ball
from marapatch.problem.norm import PROVED, Norm


def ball(norm: Norm) -> Ball:
    """The second entry is fixed, the third can only fall, the fourth only rise."""
    centre = np.array([0.5, 0.25, 1.0, 0.0])
    lower, upper = np.array([0.0, 0.25, 0.0, 0.0]), np.array([1.0, 0.25, 1.0, 1.0])
    return Ball(centre, lower, upper, norm, 1.0)


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("norm", PROVED)
def test_rows_over_columns_are_rows_over_the_change(norm: Norm, *, every: bool) -> None:
    made = displacement(ball(norm), every=every)
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(3, 4))
    values = rng.random(made.columns)
    change = made.change(values)
    assert change.shape == (4,)
    for given in (matrix, sp.csr_array(matrix)):
        assert made.coefficients(given) @ values == pytest.approx(matrix @ change)


@pytest.mark.parametrize("norm", PROVED)
def test_bounds_of_columns_are_how_far_entries_go(norm: Norm) -> None:
    here = ball(norm)
    made = displacement(here)
    down, up = here.centre - here.lower, here.upper - here.centre
    low, high = made.bounds(down, up)
    assert low.shape == high.shape == (made.columns,)
    rng = np.random.default_rng(1)
    for share in rng.random((50, made.columns)):
        change = made.change(low + share * (high - low))
        assert (change >= -down - 1e-15).all()
        assert (change <= up + 1e-15).all()


def test_l1_has_a_column_for_each_direction_an_entry_can_go() -> None:
    assert displacement(ball(Norm.L1)).columns == 4  # up and down, nothing, down, up
