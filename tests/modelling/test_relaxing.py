"""Relaxed models take in every solution, and not much more."""

from __future__ import annotations

import numpy as np
import pytest
from scripted_engines import within

import marapatch.modelling as mp
from marapatch.modelling.deciding import least_value
from marapatch.modelling.relaxing import relaxed

CONDITIONS = {
    "at most": lambda x: mp.relu(x[0] - x[1]) + mp.absolute(x[2]) <= 0.0,
    "at least": lambda x: mp.maximum(x) <= -0.5,
    "equal": lambda x: x == np.array([0.25, -0.5, 0.0]),
    "one of two": lambda x: mp.any_of([x[0] <= -0.9375, x[1] == 0.5], [x[2] >= 0.9375]),
    "a norm": lambda x: mp.norm_inf(x - 0.25) <= 0.125,
    "few are not 0": lambda x: mp.at_most_k_nonzero(x, 1),
    "none is not 0": lambda x: mp.at_most_k_nonzero(x - 0.25, 0),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_relaxed_model_takes_in_every_solution(name: str) -> None:
    """No point that replays within a large tolerance has a value below what intervals prove."""
    tolerance = 0.125
    problem = mp.Problem()
    x = problem.array("x", 3, -1, 1)
    problem.require(CONDITIONS[name](x))
    axis = np.linspace(-1, 1, 17)
    grid = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(-1, 3)
    solutions = [s for s in (within(problem, p, tolerance) for p in grid) if s is not None]
    assert any(s.violation == tolerance for s in solutions) or name.endswith("not 0")
    for weights in (np.array([1.0, 2.0, -0.5]), np.array([-1.0, -1.0, 1.0])):
        least = min(weights @ s["x"] for s in solutions)
        goal = (weights @ x).ravel()
        assert least_value(relaxed(problem.model, tolerance), goal) <= least


@pytest.mark.parametrize("name", ["equal", "a norm", "none is not 0"])
def test_a_relaxed_model_is_no_wider_than_the_tolerance(name: str) -> None:
    problem = mp.Problem()
    x = problem.array("x", 3, -1, 1)
    problem.require(CONDITIONS[name](x))
    goal = (x[0] - x[1]).ravel()
    exact, wider = (least_value(relaxed(problem.model, t), goal) for t in (0.0, 0.125))
    assert exact - 0.25 - 1e-12 <= wider < exact
