"""The least value of a linear form over a ball within a box, one module a norm."""

from collections.abc import Mapping
from types import MappingProxyType

from marapatch.bounds.concretise.base import FLOOR, Concretiser
from marapatch.bounds.concretise.l1 import L1Concretiser
from marapatch.bounds.concretise.linf import LinfConcretiser
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm

__all__ = ["FLOOR", "Concretiser", "L1Concretiser", "LinfConcretiser", "concretiser_of"]

CONCRETISERS: Mapping[Norm, type[Concretiser]] = MappingProxyType(
    {Norm.LINF: LinfConcretiser, Norm.L1: L1Concretiser}
)
"""What bounds a linear form over a ball of each norm."""


def concretiser_of(ball: Ball) -> Concretiser:
    """The concretiser of the ball's norm, over that ball."""
    return CONCRETISERS[ball.norm](ball)
