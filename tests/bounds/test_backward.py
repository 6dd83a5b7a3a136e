"""Lines below and above ReLU, and forms pulled back through them to the input."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_networks import plain

from marapatch.bounds.backward import BackwardPass, relax
from marapatch.network.graph import dense_network

ENDS = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).map(sorted)


@given(ENDS, st.floats(-0.5, 1.5), st.floats(0.0, 1.0))
def test_relu_lies_between_its_lines(ends: list[float], alpha: float, share: float) -> None:
    """Exactly, at both ends, at 0 and between; whatever slope is proposed."""
    low, high = ends
    line = relax(np.array([[low]]), np.array([[high]]), np.array([[alpha]]))
    lower, upper, lift = (
        Fraction(float(part[0, 0]))
        for part in (line.lower_slope, line.upper_slope, line.upper_intercept)
    )
    for point in (low, high, low + share * (high - low), 0.0):
        if low <= point <= high:
            z = Fraction(point)
            assert lower * z <= max(z, 0) <= upper * z + lift


@pytest.mark.parametrize(("low", "high", "slope"), [(-2.0, -1.0, 0.0), (1.0, 2.0, 1.0)])
def test_a_stable_relu_is_its_own_line(low: float, high: float, slope: float) -> None:
    line = relax(np.array([[low]]), np.array([[high]]))
    assert line.lower_slope == line.upper_slope == slope
    assert line.upper_intercept == 0.0


def test_without_a_proposal_the_lower_line_follows_the_longer_side() -> None:
    line = relax(np.array([[-1.0, -2.0]]), np.array([[2.0, 1.0]]))
    assert line.lower_slope.tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("seed", range(5))
def test_a_form_pulled_back_lies_below_the_network(seed: int) -> None:
    rng = np.random.default_rng(seed)
    form = dense_network(*plain(rng, (3, 6, 5, 2))).standard_form
    points = rng.uniform(-1.0, 1.0, (200, 3))
    values, outputs = form.pre_activations(points)
    lower = [z.min(axis=0) - 0.1 for z in values]
    upper = [z.max(axis=0) + 0.1 for z in values]
    lines = [relax(low[None], high[None]) for low, high in zip(lower, upper, strict=True)]
    sizes = [np.ones(3), *(np.maximum(high, 0.0) for high in upper)]
    backward = BackwardPass(form, sizes)
    found = backward.run(backward.start(form.output, np.eye(2)[None]), 2, lines)
    below = points @ found.weights[0].T + found.constant[0] - found.error[0]
    assert (below <= outputs + 1e-12).all()
    assert (found.error >= 0.0).all()
    assert (found.error < 1e-9).all()
