"""The basic iterative method (projected gradient descent) with a search for the radius."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from math import cos, inf, pi
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError
from marapatch.network.layers import Array
from marapatch.problem.norm import DisplacementBounds, Norm
from marapatch.witnesses.attacks.problem import AttackResult, Problem
from marapatch.witnesses.attacks.tracker import OutOfTimeError, Tracker

Flags = NDArray[np.bool_]

BIM_STEP_SIZES = {Norm.LINF: 0.3, Norm.L2: 0.7, Norm.L1: 0.3}
"""The default first step, as a share of the radius; chosen on MNIST networks."""


@dataclass(frozen=True, slots=True)
class BasicIterativeMethod:
    """Steps uphill, projected on the ball and the box, while the radius closes in on a success.

    One iteration, from the point x0 + d with gradient g and radius r:
    ``d <- project(d + step(g), r)``. In even restarts the step is the steepest of the norm: for
    L-inf ``a r sign(g)``, for L2 ``a r g / |g|_2``, for L1 (once smoothing has ended) the
    steepest entries inside the box up to a sum of ``a r``. In odd ones it goes along g: for
    L-inf ``3 a r sqrt(n) g / |g|_2`` with n entries free to move, for L1 ``a r g / |g|_2``. The
    step size a falls along a half cosine from ``step_size`` to a hundredth of it.

    The radius (``search=True``): until a restart has its first success, r is what the linear
    model at the current point asks for; from then on r shrinks by the factor 1 - c at a success,
    never above the nearest one, and grows by 1 + c at a failure, c falling from ``contraction``
    to 0.001. With ``search=False`` r stays at ``problem.radius``, which must be finite: plain
    projected gradient descent.

    Slopes are smoothed (see :meth:`marapatch.witnesses.attacks.tracker.Tracker.ascend`) by an
    amount that falls linearly to 0 over the first 70 % of the steps: a network with few active
    neurons hides from its gradient the neurons that a target needs, and the first rival is seldom
    the nearest.

    Restarts run side by side: 0 and 1 start at the input, the others at random points of balls
    whose radii are log-uniform between the linear model's radius and the whole box; odd ones
    smooth half as much. Deterministic for a ``seed``. Cost an input: ``steps * restarts``
    gradients.

    Sources: Kurakin, Goodfellow, Bengio, "Adversarial Examples in the Physical World", section
    2.2 (the iteration); Madry et al., "Towards Deep Learning Models Resistant to Adversarial
    Attacks", section 2.1 (random starts); Rony et al., "Decoupling Direction and Norm", section 4,
    and Pintor et al., "Fast Minimum-norm Adversarial Attacks", section 3 (a radius that moves
    with each success and failure). The smoothing is ours.
    """

    steps: int = 100
    restarts: int = 4
    step_size: float | None = None
    contraction: float = 0.2
    smoothing: float = 0.5
    search: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.restarts < 1:
            raise InputError("BasicIterativeMethod: needs steps >= 1 and restarts >= 1")
        if (
            (self.step_size is not None and self.step_size <= 0.0)
            or not 0.0 < self.contraction < 1.0
            or self.smoothing < 0.0
        ):
            raise InputError(
                "BasicIterativeMethod: needs step_size > 0, 0 < contraction < 1, smoothing >= 0"
            )

    def run(
        self, problem: Problem, incumbent: AttackResult | None = None, deadline: float = inf
    ) -> AttackResult:
        """Attack every input of ``problem``; an incumbent's successes are kept where nearer."""
        if not self.search and not np.isfinite(problem.radius).all():
            raise InputError("BasicIterativeMethod: search=False needs a problem of finite radius")
        generator = np.random.default_rng(self.seed)
        number = np.tile(np.arange(self.restarts), len(problem))
        tracker = Tracker(problem, np.repeat(np.arange(len(problem)), self.restarts), deadline)
        asked, displacement_bounds = tracker.asked, tracker.asked.displacement_bounds
        smoothing = self.smoothing * np.where(number % 2 == 1, 0.5, 1.0)
        radius = np.array(asked.farthest)
        if incumbent is not None and self.search:
            known = incumbent.distances[tracker.rows]
            # Random starts are free to look farther first: they leave the incumbent's basin.
            radius = np.where(number < 2, np.minimum(radius, known), radius)
        size = BIM_STEP_SIZES[problem.distance] if self.step_size is None else self.step_size
        even = number % 2 == 0
        cap, random = np.array(radius), np.flatnonzero(number >= 2)
        points = np.array(asked.centres)
        spread = generator.uniform(size=random.size)
        with suppress(OutOfTimeError):
            for k in range(self.steps):
                fall = 0.5 * (1.0 + cos(pi * k / self.steps))
                soft = smoothing * max(0.0, 1.0 - k / (0.7 * self.steps))
                points, margins, gradients = tracker.ascend(points, soft)
                # A step behind the last gradient would never be evaluated.
                if k + 1 == self.steps:
                    break
                steps = points - asked.centres
                if self.search:
                    shrink = 0.001 + (self.contraction - 0.001) * fall
                    # A little beyond: exactly on the linear boundary the margin is 0, no success.
                    predicted = 1.02 * tracker.predicted(steps, margins, gradients)
                    found = margins > problem.margin
                    moved = np.where(
                        found,
                        np.minimum((1.0 - shrink) * radius, tracker.nearest),
                        np.where(np.isfinite(tracker.nearest), (1.0 + shrink) * radius, predicted),
                    )
                    radius = np.minimum(moved, cap)
                length = size * (0.01 + 0.99 * fall) * radius
                plain = soft == 0.0 if problem.distance is Norm.L1 else np.ones_like(even)
                steps = steps + _step(
                    problem.distance, gradients, length, steps, displacement_bounds, even & plain
                )
                if k == 0:
                    within = (displacement_bounds[0][random], displacement_bounds[1][random])
                    # A log-uniform draw needs an end, which an unbounded box has not.
                    largest = np.where(np.isfinite(cap[random]), cap[random], 1e3 * radius[random])
                    far = radius[random] ** (1.0 - spread) * largest**spread
                    steps[random] = problem.distance.random(generator, far, within)
                    # Project with the radius drawn: within the linear model's the start would be
                    # cut back to it.
                    radius[random] = far
                points = asked.centres + problem.distance.project(
                    steps, radius, displacement_bounds
                )
        result = tracker.result()
        return result if incumbent is None else incumbent.merge(result)


def _step(
    distance: Norm,
    gradient: Array,
    length: Array,
    step: Array,
    displacement_bounds: DisplacementBounds,
    steepest: Flags,
) -> Array:
    """One step uphill from ``step``: the steepest for the norm in some rows, in others along g."""
    scale = Norm.L2.dual(gradient)
    unit = np.divide(gradient, scale[:, None], where=scale[:, None] > 0.0, out=0.0 * gradient)
    match distance:
        case Norm.LINF:
            # In a ball of radius r with n entries to move, r sqrt(n) is the length of a diagonal.
            movable = np.maximum(
                ((displacement_bounds[0] + displacement_bounds[1]) > 0.0).sum(axis=-1), 1
            )
            along = (3.0 * length * np.sqrt(movable))[:, None] * unit
            return np.where(steepest[:, None], length[:, None] * np.sign(gradient), along)
        case Norm.L2:
            return length[:, None] * unit
        case Norm.L1:
            result = length[:, None] * unit
            if steepest.any():
                # From `step`, not from the centre: steps that leave the box would be clipped, and
                # the sum of an L1 step spent on entries that are at an end already.
                down, up = (
                    (displacement_bounds[0] + step)[steepest],
                    (displacement_bounds[1] - step)[steepest],
                )
                left = np.maximum(down, 0.0), np.maximum(up, 0.0)
                result[steepest] = distance.steepest(gradient[steepest], length[steepest], left)
            return result
        case _:
            assert_never(distance)
