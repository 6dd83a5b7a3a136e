"""Least values over L-infinity balls: every entry goes to the end that lowers the form."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from marapatch.bounds.concretise.linf import LinfConcretiser
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm


def ball(radius: float) -> Ball:
    return Ball(np.array([0.5, 0.0, 1.0]), np.zeros(3), np.ones(3), Norm.LINF, radius)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("radius", [0.1, 0.5, 3.0])
def test_it_is_the_sum_of_the_least_values_by_entry(seed: int, radius: float) -> None:
    here = ball(radius)
    form = np.random.default_rng(seed).normal(size=3)
    low, high = here.enclosing_box
    exact = sum(
        min(Fraction(float(a)) * Fraction(float(end)) for end in ends)
        for a, *ends in zip(form, low, high, strict=True)
    )
    concretiser = LinfConcretiser(here)
    (least,) = concretiser.minimum(form[None], np.zeros(1))
    assert Fraction(float(least)) <= exact
    assert least == pytest.approx(float(exact), abs=1e-12)
    (same,), (point,) = concretiser.minimum_and_minimiser(form[None], np.zeros(1))
    assert same == pytest.approx(least, abs=1e-12)
    assert point == pytest.approx(np.where(form > 0.0, low, high), abs=1e-12)


def test_a_radius_of_its_own_for_each_form() -> None:
    forms = np.tile([1.0, -1.0, 0.0], (3, 1))
    least = LinfConcretiser(ball(1.0)).minimum(forms, np.zeros(3), np.array([0.0, 0.25, 1.0]))
    assert least == pytest.approx([0.5, 0.0, -1.0], abs=1e-12)
    assert (least <= [0.5, 0.0, -1.0]).all()


def test_the_proved_radius_ends_where_the_form_reaches_zero() -> None:
    (radius,) = LinfConcretiser(ball(1.0)).radius_of(np.array([[1.0, 1.0, 1.0]]), np.array([-0.75]))
    assert radius < 0.375  # the second entry cannot fall: 0.5 - r + 0 + 1 - r > 0.75
    assert radius == pytest.approx(0.375, rel=1e-5)
