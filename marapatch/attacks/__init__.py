"""Attacks: the nearest adversarial inputs that gradients find, without proof.

They give the search its first upper bound, and stand on their own: every result is a vector of the
network's input type, inside its box, judged again and measured as it is.
"""

from marapatch.attacks.base import Attack
from marapatch.attacks.bim import BasicIterativeMethod
from marapatch.attacks.carlini_wagner import CarliniWagner
from marapatch.attacks.fgm import FastGradientMethod
from marapatch.attacks.geometry import Distance
from marapatch.attacks.nearest import Cascade, nearest
from marapatch.attacks.objective import Objective
from marapatch.attacks.problem import AttackResult, Problem, judge

__all__ = [
    "Attack",
    "AttackResult",
    "BasicIterativeMethod",
    "CarliniWagner",
    "Cascade",
    "Distance",
    "FastGradientMethod",
    "Objective",
    "Problem",
    "judge",
    "nearest",
]
