"""Least values over L1 balls: the steepest entries go first, and points are of the ball."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from marapatch.bounds.concretise.l1 import L1Concretiser
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm


def ball(radius: float) -> Ball:
    return Ball(np.array([0.5, 0.0, 1.0]), np.zeros(3), np.ones(3), Norm.L1, radius)


def test_the_steepest_entries_go_first() -> None:
    forms, constants = np.array([[-3.0, 2.0, 1.0]]), np.array([0.25])
    at_centre = 0.25 - 1.5 + 1.0
    for radius, fall in ((0.25, 0.75), (0.5, 1.5), (1.0, 2.0), (1.5, 2.5), (4.0, 2.5)):
        (least,) = L1Concretiser(ball(radius)).minimum(forms, constants, sharp=True)
        assert least <= at_centre - fall
        assert least == pytest.approx(at_centre - fall, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_it_is_what_a_linear_program_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    form, radius = rng.normal(size=3), float(rng.uniform(0.1, 2.0))
    here = ball(radius)
    down, up = here.centre - here.lower, here.upper - here.centre
    found = linprog(
        np.concatenate([form, -form]),
        A_ub=np.ones((1, 6)),
        b_ub=[radius],
        bounds=[(0.0, far) for far in (*up, *down)],
    )
    best = form @ here.centre + found.fun
    concretiser = L1Concretiser(here)
    (least,) = concretiser.minimum(form[None], np.zeros(1), sharp=True)
    assert least <= best + 1e-12
    assert least == pytest.approx(best, abs=1e-6)
    _, (point,) = concretiser.minimum_and_minimiser(form[None], np.zeros(1))
    assert np.abs(point - here.centre).sum() <= radius * (1.0 + 1e-12)
    assert (here.lower - 1e-12 <= point).all()
    assert (point <= here.upper + 1e-12).all()
    assert form @ point >= best - 1e-9  # no point of the ball is lower
