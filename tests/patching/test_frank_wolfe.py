"""The change within a ball that meets goals best."""

from __future__ import annotations

from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest
from probability_goals import classifier, least_last_layer

from marapatch.patching.api import find_layer
from marapatch.patching.formulation import PatchProblem
from marapatch.patching.frank_wolfe import Leads
from marapatch.patching.free_weights import free_weights
from marapatch.patching.goals import linear
from marapatch.patching.verify_patch import PatchVerifier
from marapatch.problem.norm import Norm


def test_frank_wolfe_steps_reach_the_best_corner(tmp_path: Path) -> None:
    """Of the last layer the best change of a size is known: the closed form's."""
    rng = np.random.default_rng(1)
    network = classifier(tmp_path, rng, 4, "Softmax")
    x = rng.normal(size=(1, 2))
    goal = linear(np.eye(4)[[2]], [0.9], 4, transform=network.output_transform)
    what = free_weights(network, find_layer(network, "last"), bias=False)
    asked = PatchVerifier(network, what, x, (goal,), Norm.LINF)
    leads = Leads.of(PatchProblem.of(asked))
    right = least_last_layer(network, x[0], 2, log(9.0))
    change = leads.ascend(np.zeros(what.numbers), right)
    assert Norm.LINF.distance(change) <= right * (1.0 + 1e-12)
    assert leads.at(change)[0] == pytest.approx(0.0, abs=1e-3)
    asked = replace(asked, norm=Norm.L1)
    spread = Leads.of(PatchProblem.of(asked)).corner(np.arange(24.0), 3.0)
    assert Norm.L1.distance(spread) == pytest.approx(3.0)
    assert spread[19] == 3.0  # the last four numbers are biases, which may not change
