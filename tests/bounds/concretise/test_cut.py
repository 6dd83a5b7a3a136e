"""The least value of an affine form over a ball under a cut."""

from __future__ import annotations

from fractions import Fraction

import exact_values
import numpy as np
import pytest

from marapatch.bounds.concretise import concretiser_of, knapsack
from marapatch.problem.ball import Ball
from marapatch.problem.norm import PROVED, Norm


@pytest.mark.parametrize("sample", [1, 256])
@pytest.mark.parametrize("norm", PROVED)
def test_the_least_value_under_a_cut_is_rigorous(
    norm: Norm, sample: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the price: a sample of one input finds poor ones."""
    monkeypatch.setattr(knapsack, "SAMPLE", sample)
    rng = np.random.default_rng(3)
    helped = 0
    for _ in range(40):
        n = int(rng.integers(1, 6))
        centre = rng.random(n)
        ball = Ball(centre, centre - rng.random(n), centre + rng.random(n), norm, rng.random())
        a, cut = rng.normal(size=(2, 6, n)) * 10.0 ** rng.integers(-8, 9, (2, 6, 1))
        c = rng.normal(size=6)
        sizes = np.abs(cut).sum(axis=1)
        offset = rng.normal(size=6) * sizes * 0.3 - cut @ centre
        concretiser = concretiser_of(ball)
        found = concretiser.minimum_under_cut(a, c, (cut, offset), np.arange(6), 12)
        helped += int((found > concretiser.minimum(a, c)).sum())
        for x in exact_values.points(ball, rng, 20):
            for i in range(6):
                cut_value, value = (
                    Fraction(k) + sum(Fraction(w) * v for w, v in zip(row, x, strict=True))
                    for row, k in ((cut[i].tolist(), offset[i]), (a[i].tolist(), c[i]))
                )
                assert cut_value > 0 or Fraction(found[i]) <= value
    assert helped > 20
