"""Targets that depend on the input, and how far the attack beside every ground truth gets."""

from __future__ import annotations

from enum import Enum
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from marapatch.network.graph import Network
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import Rule
from marapatch.witnesses.attacks import CarliniWagner, Objective, Problem

Array = NDArray[np.float64]


class Goal(Enum):
    """A target that depends on the input."""

    ANY = "any"
    """Every other class: untargeted."""
    RUNNER_UP = "runner-up"
    """The class with the second best output."""
    NEAREST = "nearest"
    """The class that the Carlini-Wagner attack finds nearest."""


def target_of(
    goal: int | Goal, network: Network, ball: Ball, outputs: Array, label: int, rule: Rule
) -> int | None:
    """The class that ``goal`` means for this input; None for every other class."""
    others = [k for k in range(network.outputs) if k != label]
    match goal:
        case int():
            return goal
        case Goal.ANY:
            return None
        case Goal.RUNNER_UP:
            return max(others, key=lambda k: rule.sign * outputs[k])
        case Goal.NEAREST:
            objective = Objective.towards(others, argmin=rule is Rule.ARGMIN)
            form, dtype = network.standard_form, network.input_dtype
            problem = Problem.of_ball(form, ball, objective, dtype)
            return others[int(CarliniWagner().run(problem).distances.argmin())]


def attack_distance(
    network: Network, ball: Ball, rule: Rule, label: int, target: int | None
) -> tuple[float, float]:
    """The distance that Carlini and Wagner's attack finds for the norm, and its seconds."""
    argmin = rule is Rule.ARGMIN
    objective = (
        Objective.away_from([label], argmin=argmin)
        if target is None
        else Objective.towards([target], argmin=argmin)
    )
    problem = Problem.of_ball(network.standard_form, ball, objective, network.input_dtype)
    assert problem.distance is ball.norm
    started = monotonic()
    result = CarliniWagner().run(problem)
    return float(result.distances[0]), monotonic() - started
