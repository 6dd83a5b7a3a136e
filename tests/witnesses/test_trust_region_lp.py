"""Towards a condition by linear programs within a trust region."""

from __future__ import annotations

import numpy as np
import pytest
from rows_over_inputs import SIZE, network

from marapatch.problem.conditions import Rule, beats
from marapatch.witnesses.trust_region_lp import derivative, trust_region_lp


def test_derivative_is_that_of_the_condition() -> None:
    net = network(5)
    x, condition = np.random.default_rng(1).random(SIZE), beats(1, 3, Rule.ARGMAX, 0.1)
    matrix, rhs = derivative(net.standard_form, x, condition)
    step = 1e-6 * np.random.default_rng(2).normal(size=SIZE)
    slack = condition.slack(net.evaluate(np.stack([x, x + step])))
    assert -rhs == pytest.approx(slack[0])
    assert matrix @ step == pytest.approx(slack[1] - slack[0], abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_approach_stays_in_the_box_and_never_goes_back(seed: int) -> None:
    net = network(seed, (SIZE, 10, 8, 3))
    x = np.random.default_rng(seed).random(SIZE)
    target = int(np.argsort(-net.evaluate(x)[0])[1])
    condition = beats(target, 3, Rule.ARGMAX, 1e-3)
    found = trust_region_lp(net.standard_form, condition, x, np.zeros(SIZE), np.ones(SIZE), 0.25)
    assert ((found >= 0.0) & (found <= 1.0)).all()
    before, after = (condition.slack(net.evaluate(p))[0] for p in (x, found))
    assert np.maximum(-after, 0.0).sum() <= np.maximum(-before, 0.0).sum()
