"""Ground truths in the plane, whose answers are known."""

from __future__ import annotations

from math import inf

import exact_optimum as exact
import numpy as np

from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.groundtruth.result import GroundTruth, TargetResult
from marapatch.network.graph import Network, dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import Rule, beats
from marapatch.problem.norm import Norm

TOLERANCE = 1e-3


OPTIONS = GroundTruthOptions(tolerance=TOLERANCE, nodes=2000, backend="highs")


def three_classes() -> Network:
    """Class 0 at (0.5, 0.5); 1 wins from x0 = 0.75 on, 2 from x1 = 0.25 down, -x0 hardly ever."""
    first = np.array([[1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]])
    last = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    biases = [np.array([-0.25, 0.75, 0.125]), np.array([0.5, 0.0, 0.0, 0.0])]
    return dense_network([first, last], biases)


CENTRE = np.array([0.5, 0.5])


def optimum(
    network: Network,
    target: int,
    norm: Norm = Norm.LINF,
    rule: Rule = Rule.ARGMAX,
    centre: np.ndarray = CENTRE,
    box: tuple[float, float] = (0.0, 1.0),
    free: np.ndarray | None = None,
) -> float:
    """The exact distance, infinite where there is none."""
    low, high = np.full(centre.size, box[0]), np.full(centre.size, box[1])
    if free is not None:
        low, high = np.where(free, low, centre), np.where(free, high, centre)
    ball = Ball(centre, low, high, norm, inf)
    found = exact.nearest(network.standard_form, ball, beats(target, network.outputs, rule))
    assert found is None or found.exact
    return inf if found is None else float(found.distance)


def check(
    result: GroundTruth | TargetResult, distance: float, tolerance: float = TOLERANCE
) -> None:
    assert result.lower <= distance <= result.upper * (1.0 + 1e-9)
    if distance < inf:
        assert result.upper - result.lower <= tolerance
    else:
        assert result.lower == result.upper == inf
