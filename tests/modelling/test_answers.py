"""What answers hold: values by name, witnesses apart."""

from __future__ import annotations

import numpy as np
import pytest

import marapatch.modelling as mp
from marapatch.solvers import MarabouBackend


def test_values_have_declared_names_and_shapes(marabou: MarabouBackend) -> None:
    problem = mp.Problem()
    x = problem.array("x", (2, 3), -1, 1)
    s = problem.variable("s", 0, 1)
    problem.require(x.sum(axis=0) == np.array([0.5, 0.0, -0.5]), s == x[1, 2])
    answer = problem.solve(marabou)
    assert isinstance(answer, mp.Solution)
    assert answer["x"].shape == (2, 3)
    assert answer["s"].shape == ()
    assert answer["x"].sum(axis=0) == pytest.approx([0.5, 0.0, -0.5])
    with pytest.raises(ValueError, match="read-only"):
        answer["x"][0, 0] = 1.0


def test_witnesses_are_apart_and_complete(marabou: MarabouBackend) -> None:
    problem = mp.Problem()
    x = problem.variable("x", -1, 1)
    problem.require(mp.absolute(x) == 0.5)
    found = problem.witnesses(5, apart=0.1, backend=marabou)
    assert sorted(float(s["x"]) for s in found.solutions) == pytest.approx([-0.5, 0.5])
    assert found.complete
    few = problem.witnesses(1, apart=0.1, backend=marabou)
    assert len(few.solutions) == 1
    assert not few.complete
