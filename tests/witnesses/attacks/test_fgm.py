"""One gradient and a search along it: exact where the network is affine."""

from __future__ import annotations

import numpy as np
import pytest
from attack_problems import DISTANCES, check, random_problem

from marapatch.errors import InputError
from marapatch.network.graph import dense_network
from marapatch.problem.norm import Norm
from marapatch.witnesses.attacks import FastGradientMethod, Objective, Problem
from marapatch.witnesses.attacks.fgm import first_radii


@DISTANCES
def test_an_affine_network_is_met_near_its_optimum(distance: Norm) -> None:
    """y0 - y1 = a . x + 0.5 at the origin: the optimum is 0.5 over the dual norm of a."""
    a = np.array([1.0, -2.0, 0.5])
    form = dense_network([np.array([a, np.zeros(3)])], [np.array([0.5, 0.0])]).standard_form
    box = np.full((1, 3), 10.0)
    problem = Problem(form, np.zeros((1, 3)), -box, box, Objective.towards([1]), distance)
    result = FastGradientMethod().run(problem)
    check(problem, result)
    dual = {Norm.LINF: 3.5, Norm.L1: 2.0, Norm.L2: float(np.linalg.norm(a))}[distance]
    assert 0.5 / dual <= result.distances[0] <= 1.02 * 0.5 / dual
    assert result.gradients == 1.0


@DISTANCES
def test_what_is_found_holds(distance: Norm) -> None:
    found = 0
    for seed in range(5):
        problem = random_problem(seed, distance)
        result = FastGradientMethod().run(problem)
        check(problem, result)
        found += int(result.success.sum())
    assert found > 8


def test_radii_grow_from_below_the_linear_model_to_the_box() -> None:
    problem = random_problem(0, Norm.LINF)
    margins, gradients = np.full(5, -0.1), np.ones((5, 8))
    radii = first_radii(problem, margins, gradients, 6)
    assert radii.shape == (5, 6)
    assert (np.diff(radii, axis=1) > 0.0).all()
    assert (radii[:, 0] <= 0.5 * 0.1 / 8 * 1.0001).all()
    assert (radii[:, -1] <= problem.farthest).all()


@pytest.mark.parametrize(("radii", "rounds"), [(1, 3), (12, 0)])
def test_options_out_of_range_are_refused(radii: int, rounds: int) -> None:
    with pytest.raises(InputError, match="FastGradientMethod"):
        FastGradientMethod(radii, rounds)
