"""Inputs that meet a condition, found by ascent and replayed."""

from __future__ import annotations

import numpy as np
from small_properties import grid, network_of, question_of

from marapatch.witnesses.falsify import falsify


def test_falsify_is_repeatable_and_replayed() -> None:
    network = network_of(4, 3)
    lead = network.evaluate(grid(3)) @ np.array([1.0, -1.0])
    easy = question_of(
        network, np.array([[1.0, -1.0]]), np.array([lead.max() - 0.1 * np.ptp(lead)])
    )
    witness, same = (falsify(easy, np.inf, seed=5, rounds=3) for _ in range(2))
    assert witness is not None
    assert same is not None
    assert np.array_equal(witness.input, same.input)
    assert witness.margin > 0.0
    hard = question_of(network, np.array([[1.0, -1.0]]), np.array([lead.max() + np.ptp(lead)]))
    assert falsify(hard, np.inf, rounds=2) is None
