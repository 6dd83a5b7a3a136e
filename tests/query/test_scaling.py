"""Queries over variables of about unit range: no solution is lost."""

from __future__ import annotations

import numpy as np
import pytest
from frozen_problems import COUNT, TIMEOUT, frozen

from marapatch.query.scaling import RELAXATION, normalise
from marapatch.solvers import HighsBackend, Infeasible
from marapatch_encodings.semantics import worst_violation


@pytest.mark.parametrize("relaxation", [0.0, RELAXATION])
def test_normalise_keeps_every_solution(relaxation: float) -> None:
    """A solution of the query, scaled, is one of the scaled query; and the way back inverts it."""
    checked = 0
    for seed in range(COUNT):
        query = frozen(seed)
        if query is None:
            continue
        answer = HighsBackend().solve(query, TIMEOUT)
        if isinstance(answer, Infeasible):
            continue
        scaled = normalise(query, relaxation)
        point = (answer.assignment - scaled.shift) / scaled.scale
        size = max(1.0, float(np.abs(query.lower).max()), float(np.abs(query.upper).max()))
        assert worst_violation(scaled.query.constraints, point) <= 1e-7 * size
        assert (point >= scaled.query.lower - 1e-7).all()
        assert (point <= scaled.query.upper + 1e-7).all()
        assert scaled.back(point) == pytest.approx(answer.assignment, abs=1e-12 * size)
        assert np.abs(np.r_[scaled.query.lower, scaled.query.upper]).max() <= 1.01
        checked += 1
    assert checked > COUNT // 4
