"""Carlini and Wagner's attacks, norm by norm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attack_problems import DISTANCES, check, random_problem

from marapatch.errors import InputError
from marapatch.problem.norm import Norm
from marapatch.witnesses.attacks import CarliniWagner, FastGradientMethod


@DISTANCES
def test_it_is_mostly_nearer_than_one_step(distance: Norm) -> None:
    nearer = successes = 0
    for seed in range(6):
        problem = random_problem(seed, distance)
        one, many = FastGradientMethod().run(problem), CarliniWagner(60).run(problem)
        check(problem, many)
        both = one.success & many.success
        nearer += int((many.distances < one.distances)[both].sum())
        successes += int(both.sum())
    assert successes > 10
    assert nearer > 0.6 * successes


@DISTANCES
def test_it_spends_no_more_gradients_than_it_says(distance: Norm) -> None:
    problem = random_problem(1, distance)
    result = CarliniWagner(30, searches=2).run(problem)
    assert 0 < result.gradients <= 61


@DISTANCES
def test_it_is_the_same_every_time(distance: Norm) -> None:
    problem = random_problem(2, distance)
    first, second = (CarliniWagner(25).run(problem) for _ in range(2))
    assert np.array_equal(first.inputs, second.inputs, equal_nan=True)


@pytest.mark.parametrize(
    "given",
    [
        {"steps": 0},
        {"searches": 0},
        {"patience": 0},
        {"confidence": -1.0},
        {"smoothing": -0.5},
        {"step_size": 0.0},
        {"constant": 0.0},
    ],
)
def test_options_out_of_range_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="CarliniWagner"):
        CarliniWagner(**given)
