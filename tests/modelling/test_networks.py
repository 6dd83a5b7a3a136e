"""Networks inside problems."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from exact_networks import Sketch
from scripted_engines import RNG, small_network
from small_networks import branching_network

import marapatch.modelling as mp
from marapatch.modelling.answers import NoSolution, Solution
from marapatch.network.graph import Network
from marapatch.network.layers import Affine
from marapatch.solvers import MarabouBackend


def test_a_network_inside_a_problem_is_the_network(marabou: MarabouBackend) -> None:
    for network in (small_network(), branching_network(np.random.default_rng(4), 3, 3)):
        problem = mp.Problem()
        x = problem.array("x", 3, -1, 1)
        y = network(x)
        problem.require(x.sum() == 0.5, mp.decides(y, 1, margin=0.01))
        answer = problem.solve(marabou)
        samples = RNG.uniform(-1, 1, size=(4000, 3))
        samples[:, 2] = 0.5 - samples[:, 0] - samples[:, 1]
        samples = samples[np.abs(samples[:, 2]) <= 1]
        outputs = network.evaluate(samples)
        others = np.delete(outputs, 1, axis=1).max(axis=1)
        if (outputs[:, 1] >= others + 0.02).any():
            assert isinstance(answer, mp.Solution)
            out = network.evaluate(answer["x"])[0]
            assert out[1] >= np.delete(out, 1).max() + 0.01 - 1e-6
            assert answer["x"].sum() == pytest.approx(0.5, abs=1e-6)
            assert answer.violation <= answer.tolerance
        else:
            assert isinstance(answer, mp.NoSolution)


def test_two_copies_of_a_network(marabou: MarabouBackend) -> None:
    """Monotonicity in one input: the largest drop between two copies, against a grid."""
    network = small_network(2, 1, seed=5)
    problem = mp.Problem()
    x, y = problem.array("x", 2, 0, 1), problem.array("y", 2, 0, 1)
    problem.require(x[1] == y[1], x[0] <= y[0])
    found = problem.minimise(network(y)[0] - network(x)[0], tolerance=1e-3, backend=marabou)
    axis = np.linspace(0, 1, 41)
    values = network.evaluate(np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)).reshape(41, 41)
    drops = [values[:, j].min() * 0 + (values[:, j:] - values[:, [j]]).min() for j in range(41)]
    assert found.closed(1e-3)
    assert found.lower <= min(drops) + 1e-9
    assert found.upper <= min(drops) + 0.05


def cancelling(size: float) -> tuple[Network, float]:
    """Two affine layers whose numbers cancel, and the least x at which class 1 is decided: y1 - y0
    is x less that, and the sum that float64 makes of the layers may be far from it."""
    first = Affine(np.array([[1.0], [0.0]]), np.array([0.0, size]))
    bias = -0.3 * size - 0.5
    second = Affine(np.array([[0.0, 0.0], [1.0, 0.3]]), np.array([0.0, bias]))
    sketch = Sketch(1)
    output = sketch.add(second, sketch.add(first, "input"))
    return sketch.network(output, 2), float(-Fraction(0.3) * Fraction(size) - Fraction(bias))


@pytest.mark.parametrize("confirm", [None, "marabou"])
@pytest.mark.parametrize("size", [1e11, 1e12, -1e12, 1e13, -1e13, 1e15, -3e15, 2.0**60])
def test_rounding_where_layers_are_put_together_gives_no_wrong_answer(
    size: float, confirm: str | None
) -> None:
    network, threshold = cancelling(size)
    refuted = 0
    for missing in (0.0, 1e-5, 1e-3, 10.0, 1e4):
        for above in (True, False):
            problem = mp.Problem()
            end = threshold + missing if above else threshold - missing - 2e-6
            x = problem.array("x", 1, -1e6, end)
            problem.require(mp.decides(network(x), 1))
            answer = problem.solve("highs", confirm=confirm, timeout=600)
            assert not isinstance(answer, NoSolution if above else Solution)
            refuted += isinstance(answer, NoSolution)
    assert refuted >= 1
