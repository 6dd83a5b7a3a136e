"""Claimed values are put through everything."""

from __future__ import annotations

import numpy as np
from scripted_engines import Scripted, within

import marapatch.modelling as mp
from marapatch.modelling.freezing import freeze
from marapatch.problem.verdict import Unknown
from marapatch.solvers import Candidate, Infeasible


def test_a_solution_that_does_not_replay_decides_nothing() -> None:
    problem = mp.Problem()
    x = problem.variable("x", -1, 1)
    problem.require(mp.absolute(x) >= 2.0 * mp.absolute(x - 3.0))
    frozen = freeze(problem.model)
    assert frozen is not None
    lie = Candidate(np.zeros(len(frozen.query.names)))
    liar = Scripted([lie])
    assert isinstance(problem.solve(liar, confirm=None), Unknown)
    second = problem.solve(Scripted([Infeasible()]), confirm=Scripted([lie], "second"))
    assert isinstance(second, Unknown)
    assert "did not replay" in second.reason


def test_bounds_are_met_though_conditions_may_be_missed() -> None:
    """An entry that counts as 0 is not set to 0 where its bounds forbid that."""
    problem = mp.Problem()
    x = problem.array("x", 2, [1e-7, -1.0], 1.0)
    problem.require(mp.at_most_k_nonzero(x, 0))
    assert within(problem, np.array([0.0, 0.0]), 1e-6) is None
    found = within(problem, np.array([1e-7, 1e-7]), 1e-6)
    assert found is not None
    assert found["x"].min() == 1e-7
