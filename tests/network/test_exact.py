"""Networks in exact rational arithmetic: what they say without any rounding."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_networks import branching_network

from marapatch.network.exact import Rationals, can_be_exact, exact_outputs
from marapatch.network.graph import dense_network

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(FINITE, min_size=1, max_size=5))
def test_floats_are_taken_as_they_are(values: list[float]) -> None:
    made = Rationals.of(np.array(values))
    assert made.fractions() == tuple(map(Fraction, values))
    assert made.shortened().fractions() == made.fractions()
    assert made.over(6 * made.denominator).tolist() == [
        int(6 * made.denominator * Fraction(value)) for value in values
    ]


def test_what_rounding_would_hide_is_there() -> None:
    network = dense_network([np.array([[1.0, 1.0, -1.0]])], [np.array([0.0])])
    x = np.array([2.0**60, 1.0, 2.0**60])
    assert network.evaluate(x)[0, 0] == 0.0
    assert exact_outputs(network, x) == (Fraction(1),)


@pytest.mark.parametrize("seed", range(10))
def test_branching_networks_agree_with_floats_and_with_another_evaluation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = branching_network(rng, 3, 2)
    x = rng.uniform(-1.0, 1.0, 3)
    found = exact_outputs(network, x)
    assert [float(y) for y in found] == pytest.approx(network.evaluate(x)[0].tolist(), abs=1e-12)
    assert exact_outputs(network, [Fraction(float(v)) for v in x]) == found


def test_a_large_network_is_none_to_be_evaluated_so() -> None:
    small = dense_network([np.ones((3, 2))], [np.zeros(3)])
    large = dense_network([np.ones((2100, 2000))], [np.zeros(2100)])
    assert can_be_exact(small)
    assert not can_be_exact(large)
