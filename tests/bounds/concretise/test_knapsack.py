"""Multipliers of a cut from a sample of its entries."""

from __future__ import annotations

import numpy as np
import pytest

from marapatch.bounds.concretise import concretiser_of, knapsack
from marapatch.problem.ball import Ball
from marapatch.problem.norm import PROVED, Norm


@pytest.mark.parametrize("norm", PROVED)
def test_a_price_from_a_sample_gives_nearly_the_whole_bound(norm: Norm) -> None:
    """784 inputs as alike as pixels are: the sampled price loses a few percent of what the cut
    gains, and where the cut does not bind there is nothing to lose."""
    rng = np.random.default_rng(5)
    ball = Ball(
        np.full(784, 0.5), np.zeros(784), np.ones(784), norm, 0.1 if norm is Norm.LINF else 8
    )
    a, cut = rng.normal(size=(2, 32, 784)) * np.hanning(784)
    cut = cut - 0.5 * a
    offset = -cut @ ball.centre + 0.5 * np.abs(cut).mean(axis=1)
    concretiser = concretiser_of(ball)
    plain = concretiser.minimum(a, np.zeros(32))
    few = concretiser.minimum_under_cut(a, np.zeros(32), (cut, offset), np.arange(32), 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(knapsack, "SAMPLE", 784)
        whole = concretiser.minimum_under_cut(a, np.zeros(32), (cut, offset), np.arange(32), 4)
    gain = (whole - plain).sum()
    assert gain > 0.01 * np.abs(plain).sum()
    assert (few - plain).sum() > 0.9 * gain
