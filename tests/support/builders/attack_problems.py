"""Problems for attacks, with their optima where these are known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.graph import Network, dense_network
from marapatch.problem.norm import Norm
from marapatch.witnesses.attacks import AttackResult, Objective, Problem

DISTANCES = pytest.mark.parametrize("distance", list(Norm))


def relu_network(seed: int, sizes: tuple[int, ...] = (8, 12, 12, 4)) -> Network:
    rng = np.random.default_rng(seed)
    pairs = list(pairwise(sizes))
    weights = [rng.normal(size=(b, a)) * np.sqrt(2.0 / a) for a, b in pairs]
    return dense_network(weights, [0.2 * rng.normal(size=b) for _, b in pairs])


def decided(form: StandardForm, inputs: np.ndarray, *, argmin: bool = False) -> np.ndarray:
    outputs = form.evaluate(inputs)
    return outputs.argmin(1) if argmin else outputs.argmax(1)


def random_problem(
    seed: int, distance: Norm, *, targeted: bool = True, argmin: bool = False, n: int = 5
) -> Problem:
    """Inputs of float32 in the unit box, a quarter of the entries masked."""
    form = relu_network(seed).standard_form
    rng = np.random.default_rng(seed + 1000)
    inputs = rng.uniform(size=(n, 8)).astype(np.float32).astype(np.float64)
    free = rng.random((n, 8)) > 0.25
    labels = decided(form, inputs, argmin=argmin)
    if targeted:
        objective = Objective.towards((labels + 1) % 4, argmin=argmin)
    else:
        objective = Objective.away_from(labels, argmin=argmin)
    lower, upper = np.where(free, 0.0, inputs), np.where(free, 1.0, inputs)
    return Problem(form, inputs, lower, upper, objective, distance)


def check(problem: Problem, result: AttackResult) -> None:
    """Everything a result claims, computed again from its vectors alone."""
    assert len(result) == len(problem)
    assert result.inputs.dtype == problem.dtype
    for i, found in enumerate(result.success):
        vector = result.inputs[i].astype(np.float64)
        if not found:
            assert np.isnan(vector).all()
            assert result.distances[i] == np.inf
            continue
        assert ((vector >= problem.lower[i]) & (vector <= problem.upper[i])).all()
        fixed = problem.lower[i] == problem.upper[i]
        assert np.array_equal(vector[fixed], problem.centres[i][fixed])
        scores = problem.form.evaluate(vector[None])[0] * (-1 if problem.objective.argmin else 1)
        c = problem.objective.classes[i]
        others = np.delete(scores, c).max()
        lead = scores[c] - others if problem.objective.targeted else others - scores[c]
        assert lead > problem.margin
        assert result.margins[i] == pytest.approx(lead, rel=1e-9)
        difference = vector - problem.centres[i]
        expected = {
            Norm.LINF: np.abs(difference).max(),
            Norm.L1: np.abs(difference).sum(),
            Norm.L2: np.sqrt(np.square(difference).sum()),
        }[problem.distance]
        assert result.distances[i] == pytest.approx(expected, rel=1e-12, abs=1e-300)
        assert result.distances[i] <= problem.radius[i]
