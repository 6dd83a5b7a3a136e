"""The fast gradient method with a line search over the radius."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError
from marapatch.network.layers import Array
from marapatch.witnesses.attacks.problem import AttackResult, Problem
from marapatch.witnesses.attacks.tracker import OutOfTimeError, Tracker, predicted_radius

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FastGradientMethod:
    """One gradient at the input; the smallest radius whose steepest step succeeds.

    ``x(r) = x0 + argmax { gradient . d : norm(d) <= r, x0 + d in the box }``: for L-inf the sign
    step, for L2 the scaled gradient, for L1 the steepest entries filled one after another. The
    radius is searched in ``rounds`` of ``radii`` evaluations each: geometric around the radius
    that the linear model predicts, then linear between the last failure and the first success.
    Deterministic. Cost an input: 1 gradient, ``rounds * radii`` evaluations.

    Source: Goodfellow, Shlens, Szegedy, "Explaining and Harnessing Adversarial Examples",
    section 4 (L-inf at a given radius); L1 and L2 are the same step for the other dual norms.
    """

    radii: int = 12
    rounds: int = 3

    def __post_init__(self) -> None:
        if self.radii < 2 or self.rounds < 1:
            raise InputError("FastGradientMethod: needs radii >= 2 and rounds >= 1")

    def run(
        self, problem: Problem, incumbent: AttackResult | None = None, deadline: float = inf
    ) -> AttackResult:
        """Attack every input of ``problem``; an incumbent's successes are kept where nearer."""
        n = len(problem)
        # Without the deadline: it is one gradient, and running out of time is caught below only.
        start = Tracker(problem, np.arange(n))
        _, margins, gradients = start.ascend(problem.centres)
        tracker = Tracker(problem, np.repeat(np.arange(n), self.radii), deadline)
        slopes = np.repeat(gradients, self.radii, axis=0)
        radii = first_radii(problem, margins, gradients, self.radii)
        low = np.zeros(n)
        # Without 0: `low` is the centre, or a radius that failed.
        share = np.linspace(0.0, 1.0, self.radii + 1)[1:]
        with suppress(OutOfTimeError):
            for _ in range(self.rounds):
                steps = problem.distance.steepest(
                    slopes, radii.reshape(-1), tracker.asked.displacement_bounds
                )
                _, lead = tracker.margins(tracker.asked.centres + steps)
                low, high = _bracket(radii, lead.reshape(radii.shape) > problem.margin, low)
                radii = low[:, None] + (high - low)[:, None] * share
        result = start.result().merge(tracker.result())
        return result if incumbent is None else incumbent.merge(result)


def first_radii(problem: Problem, margins: Array, gradients: Array, count: int) -> Array:
    """``count`` radii an input, geometric from below the linear model's to the farthest corner.

    The linear model predicts ``-margin / dual norm(gradient)``, the exact optimum of an affine
    network whose box does not bind. Shape (n, count), increasing; zeros where nothing can move.
    """
    predicted = predicted_radius(problem, margins, gradients)
    highest = np.minimum(problem.farthest, predicted * 2.0**10)
    # Below the highest, also where the box ends before the linear model's radius: the radii have to
    # increase.
    lowest = np.minimum(0.5 * predicted, 0.5 * highest)
    share = np.linspace(0.0, 1.0, count)
    with np.errstate(divide="ignore", invalid="ignore"):
        radii = lowest[:, None] * (highest / lowest)[:, None] ** share
    return np.where(np.isfinite(radii), radii, 0.0)


def _bracket(radii: Array, success: Flags, low: Array) -> tuple[Array, Array]:
    """The first success of each row, or its last radius, and the failure just before it."""
    rows = np.arange(radii.shape[0])
    # argmax of a row of failures is 0: the first radius would pass for a success.
    first = np.where(success.any(axis=1), success.argmax(axis=1), radii.shape[1] - 1)
    before = np.where(first > 0, radii[rows, np.maximum(first - 1, 0)], low)
    return before, radii[rows, first]
