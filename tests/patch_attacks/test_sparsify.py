"""As few entries as possible under rows."""

from __future__ import annotations

import numpy as np
import pytest
from rows_over_inputs import network

from marapatch.patch_attacks.realise import InputBox
from marapatch.patch_attacks.sparsify import fewer
from marapatch.problem.conditions import OutputCondition


@pytest.mark.parametrize("seed", range(8))
def test_fewer_entries_still_meet_the_condition(seed: int) -> None:
    net = network(seed, (20, 10, 8, 3))
    rng = np.random.default_rng(seed)
    x, goal = rng.random(20), rng.random(20)
    outputs = net.evaluate(np.stack([x, goal]))
    row = outputs[1] - outputs[0]
    condition = OutputCondition(row[None], np.array([row @ (outputs[0] + 0.3 * row)]))
    domain = InputBox(x, np.zeros(20), np.ones(20))
    change = fewer(net.standard_form, condition, domain, goal - x, np.inf)
    assert condition.worst(net.evaluate(x + change))[0] > 0.0
    assert np.count_nonzero(change) < 20
    assert ((x + change >= -1e-12) & (x + change <= 1.0 + 1e-12)).all()
    kept = np.flatnonzero(change)
    for i in kept:  # no entry can be dropped
        without = change.copy()
        without[i] = 0.0
        assert kept.size == 1 or condition.worst(net.evaluate(x + without))[0] <= 0.0
