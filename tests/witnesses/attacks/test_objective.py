"""The margin that an attack raises, and its slope."""

from __future__ import annotations

import numpy as np
import pytest

from marapatch.witnesses.attacks import Objective


@pytest.mark.parametrize("targeted", [True, False])
@pytest.mark.parametrize("argmin", [True, False])
def test_directions_are_the_gradient_of_the_margin(targeted: bool, argmin: bool) -> None:
    rng = np.random.default_rng(0)
    outputs = rng.normal(size=(6, 5))
    objective = Objective(rng.integers(0, 5, 6), targeted, argmin)
    numeric = np.zeros(outputs.shape)
    for j in range(5):
        ahead, behind = outputs.copy(), outputs.copy()
        ahead[:, j] += 1e-6
        behind[:, j] -= 1e-6
        numeric[:, j] = (objective.margins(ahead) - objective.margins(behind)) / 2e-6
    exact = objective.directions(outputs)
    assert np.allclose(exact, numeric, atol=1e-6)
    assert np.allclose(objective.directions(outputs, np.zeros(6)), exact)
    shared = objective.directions(outputs, np.full(6, 1e6))
    assert np.allclose(np.abs(shared).sum(axis=1), 2.0)
    assert np.allclose(shared.sum(axis=1), 0.0)
    assert (np.count_nonzero(shared, axis=1) == 5).all()
