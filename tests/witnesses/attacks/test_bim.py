"""Projected gradient steps with a search for the radius."""

from __future__ import annotations

import numpy as np
import pytest
from attack_problems import DISTANCES, check, random_problem

from marapatch.errors import InputError
from marapatch.network.graph import dense_network
from marapatch.problem.norm import Norm
from marapatch.witnesses.attacks import BasicIterativeMethod, Cascade, Objective, Problem


def test_the_seed_matters_where_starts_are_random() -> None:
    problem = random_problem(0, Norm.L2)
    runs = [BasicIterativeMethod(steps=20, restarts=8, seed=s).run(problem) for s in (0, 1)]
    assert not np.array_equal(runs[0].distances, runs[1].distances)


@DISTANCES
def test_plain_gradient_descent_stays_at_the_radius_given(distance: Norm) -> None:
    free = random_problem(8, distance)
    radius = 1.5 * Cascade(steps=60).run(free).distances
    plain = BasicIterativeMethod(steps=60, search=False)
    problem = Problem(
        free.form, free.centres, free.lower, free.upper, free.objective, distance, radius=radius
    )
    finite = np.flatnonzero(np.isfinite(radius))
    result = plain.run(problem.take(finite))
    check(problem.take(finite), result)
    assert result.success.mean() >= 0.5
    with pytest.raises(InputError, match="finite radius"):
        plain.run(free)


def test_smoothing_finds_a_target_whose_neuron_sleeps() -> None:
    """Class 1 needs a neuron that is inactive around the input: the true gradient is zero there."""
    weights = [np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([[0.0, 0.0], [10.0, 1e-6]])]
    form = dense_network(weights, [np.array([-1.2, 5.0]), np.array([1.0, 0.0])]).standard_form
    inputs = np.array([[0.25, 0.25]])
    problem = Problem(form, inputs, 0.0, 1.0, Objective.towards([1]), Norm.LINF)
    blind = BasicIterativeMethod(restarts=2, smoothing=0.0).run(problem)
    seeing = BasicIterativeMethod(restarts=2).run(problem)
    assert seeing.success.all()
    assert seeing.distances[0] <= 0.41
    assert not blind.success.any()
