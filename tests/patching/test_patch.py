"""A patch as an answer: what it changes, how large it is, and where it can be applied."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from marapatch.errors import InputError
from marapatch.network.graph import dense_network
from marapatch.patching.api import minimal_patch
from marapatch.patching.patch import Patch

NETWORK = dense_network([np.eye(2), np.array([[1.0, 0.0], [0.0, 1.0]])], [np.zeros(2), np.zeros(2)])


def patch() -> Patch:
    """[1, 0.5] is to be class 1: the last layer's weights need a lead of 0.5 and the margin."""
    return minimal_patch(NETWORK, [1.0, 0.5], 1, layer="last", norm="linf", margin=0.0)


def test_sizes_and_counts_are_those_of_the_change() -> None:
    found = patch()
    assert found.delta is not None
    assert found.closed
    assert not found.already
    assert not found.infeasible
    assert found.changed_weights == np.count_nonzero(found.delta)
    assert found.size_linf == np.abs(found.delta).max()
    assert found.size_l1 >= np.abs(found.delta).sum()
    assert found.upper == pytest.approx(0.5 / 3.0, rel=1e-2)  # 0.5 over |1| + |0.5|, twice


def test_it_can_be_applied_where_it_fits_and_nowhere_else() -> None:
    found = patch()
    assert NETWORK.evaluate([1.0, 0.5]).argmax() == 0
    assert found.apply().evaluate([1.0, 0.5]).argmax() == 1
    other = dense_network([np.eye(3), np.ones((2, 3))], [np.zeros(3), np.zeros(2)])
    with pytest.raises(InputError):
        found.apply(other)
    with pytest.raises(InputError):
        replace(found, delta=None, delta_bias=None).apply()


def test_nothing_is_to_be_changed_where_the_goal_is_met() -> None:
    found = minimal_patch(NETWORK, [1.0, 0.5], 0, layer="last", margin=0.0)
    assert found.already
    assert (found.lower, found.upper, found.changed_weights) == (0.0, 0.0, 0)


def test_an_infinite_lower_end_means_that_there_is_none() -> None:
    assert replace(patch(), lower=inf, upper=inf).infeasible
