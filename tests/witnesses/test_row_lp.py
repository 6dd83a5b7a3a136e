"""The nearest input under rows, as a linear program."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rows_over_inputs import SIZE, exact_least, network, problem

from marapatch.network.graph import dense_network
from marapatch.patch_attacks.realise import realise
from marapatch.problem.conditions import OutputCondition
from marapatch.witnesses.row_lp import Rows, least_violation, min_l1, min_linf


@pytest.mark.parametrize("seed", range(12))
def test_linear_programs_are_optimal_and_feasible(seed: int) -> None:
    rows, *_ = problem(seed)
    for change, size, optimum in (
        (min_l1(rows, np.ones(SIZE)), np.sum, exact_least(rows)),
        (min_linf(rows), np.max, exact_least(rows, largest=True)),
    ):
        assert change is not None
        assert rows.missed(change).max() <= 1e-8
        assert (change >= rows.lower - 1e-9).all()
        assert (change <= rows.upper + 1e-9).all()
        assert float(size(np.abs(change))) == pytest.approx(optimum, abs=1e-7)


def test_nothing_within_the_largest_change() -> None:
    net = dense_network([np.eye(3), np.eye(3)], [np.zeros(3)] * 2)
    x, wanted = np.full(3, 0.5), OutputCondition(np.eye(3)[:1], np.array([0.9]))
    assert realise(net, x, wanted, max_pixel=0.3) is None
    found = realise(net, x, wanted, max_pixel=0.45)
    assert found is not None
    assert found == pytest.approx([0.9, 0.5, 0.5], abs=1e-5)


def test_the_box_and_the_shape_are_kept() -> None:
    net = replace(network(1), input_shape=(1, SIZE))
    x = np.full((1, SIZE), 0.25)
    values = net.values(np.full((1, SIZE), 0.3))["affine0"][0]
    found = realise(net, x, values, box=(np.full(SIZE, 0.2), np.full((1, SIZE), 0.35)))
    assert found is not None
    assert found.shape == (1, SIZE)
    assert ((found >= 0.2) & (found <= 0.35)).all()


def test_least_violation_of_rows_that_cannot_be_met() -> None:
    rows = Rows(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([0.6, 0.2]), -np.ones(2), np.ones(2))
    change = least_violation(rows)
    assert change is not None
    assert rows.missed(change).sum() == pytest.approx(0.8, abs=1e-8)
    assert change[1] == 0.0
    assert min_l1(rows, np.ones(2)) is None
