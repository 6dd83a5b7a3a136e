"""Attacks: the nearest adversarial inputs that gradients find, without proof.

They give the search its first upper bound, and stand on their own: every result is a vector of the
network's input type, inside its box, judged again and measured as it is.
"""

from marapatch.problem.norm import Norm
from marapatch.witnesses.attacks.base import Attack
from marapatch.witnesses.attacks.bim import BasicIterativeMethod
from marapatch.witnesses.attacks.carlini_wagner import CarliniWagner
from marapatch.witnesses.attacks.fgm import FastGradientMethod
from marapatch.witnesses.attacks.nearest import Cascade, nearest
from marapatch.witnesses.attacks.objective import Objective
from marapatch.witnesses.attacks.problem import AttackResult, Problem, verify_claims

__all__ = [
    "Attack",
    "AttackResult",
    "BasicIterativeMethod",
    "CarliniWagner",
    "Cascade",
    "FastGradientMethod",
    "Norm",
    "Objective",
    "Problem",
    "nearest",
    "verify_claims",
]
