"""What an attack is asked, and that it ends when its time does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import inf

import numpy as np
import pytest
from attack_problems import check, random_problem, relu_network
from many_targets import IMAGE, wide

from marapatch.errors import InputError
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.graph import dense_network
from marapatch.problem.norm import Norm
from marapatch.witnesses.attacks import Cascade, verify_claims
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


def test_the_judge_believes_nothing() -> None:
    problem = random_problem(0, Norm.LINF, n=2)
    honest = Cascade(steps=40).run(problem)
    assert honest.success.all()
    lies = np.stack([problem.centres[0], np.full(8, np.nan), np.full(8, 1e9), np.full(8, np.inf)])
    judged = verify_claims(problem, lies, np.zeros(4, dtype=np.int64))
    check(problem, judged)
    swapped = verify_claims(problem, honest.inputs[::-1], np.array([0, 1]))
    check(problem, swapped)
    both = verify_claims(
        problem, np.concatenate([lies, honest.inputs]), np.array([0, 0, 0, 0, 0, 1])
    )
    assert (both.distances <= honest.distances).all()
    nothing = verify_claims(problem, np.zeros((0, 8)), np.zeros(0, dtype=np.int64))
    assert not nothing.success.any()


def test_rounding_to_the_input_type_stays_in_the_box_and_may_cost_the_success() -> None:
    """The decision changes only between two neighbouring float32 numbers: no witness there."""
    half = np.float64(np.float32(0.1)) + 1e-10
    weights = [np.array([[1.0], [1.0]]), np.array([[0.0, 0.0], [1.0, -2.0]])]
    network = dense_network(weights, [np.array([-half, -half - 1e-10]), np.array([5e-11, 0.0])])
    form = network.standard_form
    peak = np.array([[half + 1e-10]])
    outputs = form.evaluate(peak)[0]
    assert outputs[1] > outputs[0]
    sides = np.array([[0.0]]), 0.0, 0.1
    wide = np.array([[0.0]]), 0.0, 1.0
    double = Problem(form, *wide, Objective.towards([1]), dtype=np.dtype(np.float64))
    assert verify_claims(double, peak, np.array([0])).success.all()
    single = Problem(form, *wide, Objective.towards([1]))
    assert not verify_claims(single, peak, np.array([0])).success.any()
    boxed = Problem(form, *sides, Objective.towards([1]))
    assert boxed.snap(np.array([[0.5]]))[0, 0] <= 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective": Objective.towards([7])}, "class 7 does not exist"),
        ({"objective": Objective.towards([0, 1])}, "do not fit 2 classes"),
        ({"centres": np.full((1, 8), 2.0)}, "outside its box"),
        ({"centres": np.full((1, 8), np.nan)}, "NaN"),
        ({"radius": np.array(-1.0)}, "at least 0"),
        ({"margin": np.inf}, "at least 0"),
        (
            {
                "centres": np.full((1, 8), 0.1),
                "lower": np.full(8, 0.1),
                "upper": np.full(8, 0.1),
            },
            "holds no float32 number",
        ),
    ],
)
def test_unusable_problems_are_refused(change: dict, message: str) -> None:
    arguments = {
        "form": relu_network(0).standard_form,
        "centres": np.full((1, 8), 0.5),
        "lower": np.zeros(8),
        "upper": np.ones(8),
        "objective": Objective.towards([0]),
    }
    with pytest.raises(InputError, match=message) as caught:
        Problem(**{**arguments, **change})
    assert "\n" not in str(caught.value)
