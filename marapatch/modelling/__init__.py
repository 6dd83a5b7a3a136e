"""Questions of one's own: a small modelling layer over the kernel, its answers replayed."""

from marapatch.modelling.answers import Answer, Minimum, NoSolution, Solution, Witnesses
from marapatch.modelling.conditions import all_of, any_of, at_most_k_nonzero
from marapatch.modelling.expressions import Expression
from marapatch.modelling.functions import (
    absolute,
    clip,
    concatenate,
    decides,
    decides_one_of,
    decides_other,
    insert,
    leaky_relu,
    maximum,
    minimum,
    norm1,
    norm_inf,
    relu,
)
from marapatch.modelling.problem import Problem
from marapatch.modelling.symbolic import FreeNetwork

__all__ = [
    "Answer",
    "Expression",
    "FreeNetwork",
    "Minimum",
    "NoSolution",
    "Problem",
    "Solution",
    "Witnesses",
    "absolute",
    "all_of",
    "any_of",
    "at_most_k_nonzero",
    "clip",
    "concatenate",
    "decides",
    "decides_one_of",
    "decides_other",
    "insert",
    "leaky_relu",
    "maximum",
    "minimum",
    "norm1",
    "norm_inf",
    "relu",
]
