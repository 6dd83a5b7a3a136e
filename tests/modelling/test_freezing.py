"""From a problem to a query: bounds inferred, or missed by name."""

from __future__ import annotations

import numpy as np
import pytest
from scripted_engines import RNG, small_network

import marapatch.modelling as mp
from marapatch.errors import InputError
from marapatch.modelling.freezing import freeze
from marapatch.problem.verdict import Evidence


def test_bounds_are_inferred_where_they_follow() -> None:
    problem = mp.Problem()
    x = problem.array("x", 2)
    y, z = problem.variable("y"), problem.variable("z", lower=-5)
    problem.require(mp.norm1(x - 1.0) <= 0.5, y == mp.relu(x[0]) - 3.0, z <= y)
    query = problem.query
    assert np.isfinite(query.lower).all()
    assert np.isfinite(query.upper).all()
    assert query.lower[0] == pytest.approx(0.5, abs=1e-9)
    assert query.upper[1] == pytest.approx(1.5, abs=1e-9)
    assert query.names[:4] == ("x[0]", "x[1]", "y", "z")


def test_bounds_are_inferred_through_networks() -> None:
    """x from its norm, then y from the network's outputs there, then z from y."""
    network, problem = small_network(), mp.Problem()
    x, y, z = problem.array("x", 3), problem.array("y", 3), problem.variable("z", 0)
    problem.require(y == network(x), mp.norm_inf(x) <= 0.5, z <= y[0] + 100.0)
    frozen = freeze(problem.model)
    assert frozen is not None
    low, high = (end[frozen.variables] for end in (frozen.query.lower, frozen.query.upper))
    for point in RNG.uniform(-0.5, 0.5, (50, 3)):
        values = np.concatenate([point, network.evaluate(point)[0], [0.0]])
        assert (low <= values).all()
        assert (values <= high).all()
    answer = problem.solve("highs")
    assert isinstance(answer, mp.Solution)
    assert answer["y"] == pytest.approx(network.evaluate(answer["x"])[0], abs=1e-5)


@pytest.mark.parametrize("side", ["lower", "upper"])
def test_bounds_that_do_not_follow_are_named(side: str) -> None:
    problem = mp.Problem()
    x = problem.array("x", (2, 2), -1, 1)
    free = problem.array("free", 2)
    problem.require(free[0] == x[0, 0], free[1] <= 2 if side == "lower" else free[1] >= 2)
    with pytest.raises(InputError, match=rf"free\[1\] has no finite {side} bound"):
        problem.solve()


def test_contradiction_by_intervals_alone() -> None:
    problem = mp.Problem()
    x = problem.variable("x", lower=0)
    problem.require(x <= -1)
    answer = problem.solve()
    assert isinstance(answer, mp.NoSolution)
    assert answer.evidence is Evidence.BOUND
    with pytest.raises(InputError, match="no solution"):
        _ = problem.query
