"""What an attack is asked, and that it ends when its time does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import inf

import numpy as np
import pytest
from many_targets import IMAGE, wide

from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.problem.norm import Norm
from marapatch.witnesses.attacks.bim import BasicIterativeMethod
from marapatch.witnesses.attacks.carlini_wagner import CarliniWagner
from marapatch.witnesses.attacks.fgm import FastGradientMethod
from marapatch.witnesses.attacks.objective import Objective
from marapatch.witnesses.attacks.problem import Problem
from marapatch.witnesses.attacks.tracker import Tracker


class Countdown(Tracker):
    """Its time is over when so many parts of batches were evaluated."""

    left = 0
    used = 0

    @property
    def expired(self) -> bool:
        type(self).used += 1
        return self.used > self.left


@pytest.mark.parametrize("left", [1, 2, 5])
@pytest.mark.parametrize("distance", [Norm.LINF, Norm.L1, Norm.L2])
@pytest.mark.parametrize("attack", [FastGradientMethod(), BasicIterativeMethod(), CarliniWagner()])
def test_attacks_stop_within_a_step(
    attack: FastGradientMethod | BasicIterativeMethod | CarliniWagner,
    distance: Norm,
    left: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between the parts of a batch, of which a large network has many."""
    monkeypatch.setattr(sys.modules[type(attack).__module__], "Tracker", Countdown)
    Countdown.left, Countdown.used = left, 0
    network = wide(4)
    calls: list[int] = []
    evaluate: Callable[..., object] = StandardForm.pre_activations

    def counted(self: StandardForm, x: np.ndarray) -> object:
        calls.append(len(x))
        return evaluate(self, x)

    monkeypatch.setattr(StandardForm, "pre_activations", counted)
    centres = np.tile(IMAGE, (3, 1))
    objective = Objective.towards([1, 2, 3], argmin=False)
    zero, one = np.zeros(6), np.ones(6)
    problem = Problem(network.standard_form, centres, zero, one, objective, distance)
    result = attack.run(problem, None, inf)
    assert len(result) == 3
    assert len(calls) <= left + 3
