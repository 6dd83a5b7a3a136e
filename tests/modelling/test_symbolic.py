"""Networks with free weights at one layer."""

from __future__ import annotations

import numpy as np
import pytest
from scripted_engines import small_network

import marapatch.modelling as mp
from marapatch.errors import InputError
from marapatch.solvers import MarabouBackend


def test_minimal_patch_of_the_last_layer(marabou: MarabouBackend) -> None:
    """For one input the least change is gap / (2 |h|_1) (ARCHITECTURE: 2)."""
    network = small_network(3, 3, seed=3)
    point = np.array([0.2, 0.9, 0.4])
    outputs = network.evaluate(point)[0]
    order = np.argsort(-outputs)
    label, target = int(order[0]), int(order[1])
    hidden = network.values(point)["relu1"][0]
    problem = mp.Problem()
    free = network.with_free_weights(problem, layer=-1, within=10.0)
    problem.require(mp.decides(free(point), target))
    found = problem.minimise(mp.norm_inf(free.weight_change), tolerance=1e-4, backend=marabou)
    wanted = (outputs[label] - outputs[target]) / (2 * np.abs(hidden).sum())
    assert found.lower <= wanted + 1e-9
    assert found.upper == pytest.approx(wanted, abs=2e-4)
    assert found.solution is not None
    patched = network.weights("affine2")[0] + found.solution["change"]
    changed = network.with_weights("affine2", patched).evaluate(point)[0]
    assert changed[target] >= changed.max() - 1e-6


def test_patch_of_a_middle_layer_with_bias(marabou: MarabouBackend) -> None:
    network = small_network(3, 3, seed=3)
    point = np.array([0.2, 0.9, 0.4])
    target = int(np.argsort(network.evaluate(point)[0])[-2])
    problem = mp.Problem()
    free = network.with_free_weights(problem, layer="affine1", within=2.0, bias=True)
    problem.require(mp.decides(free(point), target, margin=0.05))
    answer = problem.solve(marabou)
    assert isinstance(answer, mp.Solution)
    weight, bias = network.weights("affine1")
    patched = network.with_weights(
        "affine1", weight + answer["change"], bias + answer["change.bias"]
    )
    outputs = patched.evaluate(point)[0]
    assert outputs[target] >= np.delete(outputs, target).max() + 0.05 - 1e-6


def test_free_weights_refuse_what_is_not_linear() -> None:
    problem, network = mp.Problem(), small_network()
    free = network.with_free_weights(problem, layer=0)
    with pytest.raises(InputError, match=r"give numbers"):
        free(problem.array("x", 3, 0, 1))
    with pytest.raises(InputError, match=r"one input at a time"):
        free(np.zeros((2, 3)))
    with pytest.raises(InputError, match=r"layer 9: the network has 3"):
        network.with_free_weights(problem, layer=9)
    with pytest.raises(InputError, match=r"called with an expression"):
        network(np.zeros(3))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"4 entries, the network takes 3"):
        network(mp.Problem().array("x", 4))
