"""Stable and convex parts cost nothing."""

from __future__ import annotations

import marapatch.modelling as mp


def test_stable_and_convex_parts_cost_no_relu() -> None:
    problem = mp.Problem()
    x = problem.array("x", 3, 1, 2)
    problem.require(mp.relu(x).sum() >= 4, mp.norm1(x - 1.5) <= 1, mp.maximum(x) <= 1.75)
    assert problem.query.piecewise == ()
    open_one = mp.Problem()
    y = open_one.array("y", 3, -1, 1)
    open_one.require(mp.relu(y).sum() >= 2)
    assert len(open_one.query.piecewise) == 3
