"""Problems of the modelling layer, from statement to answer."""

from __future__ import annotations

import numpy as np
import pytest
from scripted_engines import RNG, small_network

import marapatch.modelling as mp
from marapatch.errors import InputError
from marapatch.solvers import MarabouBackend


def test_ground_truth_in_a_script(marabou: MarabouBackend) -> None:
    """The nearest input decided otherwise, in both norms, no nearer than any sample."""
    network = small_network(3, 3, seed=2)
    start = np.array([0.5, 0.5, 0.5])
    label = int(network.evaluate(start).argmax())
    samples = RNG.uniform(0, 1, size=(20000, 3))
    away = network.evaluate(samples).argmax(axis=1) != label
    assert away.any()
    for norm, size in ((mp.norm_inf, np.inf), (mp.norm1, 1)):
        problem = mp.Problem()
        x = problem.array("x", 3, 0, 1)
        problem.require(mp.decides_other(network(x), label))
        found = problem.minimise(norm(x - start), tolerance=1e-3, backend=marabou)
        assert found.closed(1e-3)
        assert found.solution is not None
        nearest = np.linalg.norm(samples[away] - start, size, axis=1).min()
        assert found.lower <= nearest
        assert found.upper <= nearest + 1e-9
        assert np.linalg.norm(found.solution["x"] - start, size) == pytest.approx(found.upper)


def test_values_are_named() -> None:
    problem = mp.Problem()
    problem.array("x", 2, 0, 1)
    answer = problem.solve("highs")
    assert isinstance(answer, mp.Solution)
    with pytest.raises(InputError, match="'y' is no declared variable; declared are: x"):
        answer["y"]
    assert repr(problem) == "<Problem: 2 variables (x), 0 conditions>"
