"""Carlini and Wagner's attacks: distance plus c times a margin loss, with a search for c."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from math import cos, inf, pi
from typing import assert_never

import numpy as np

from marapatch.errors import InputError
from marapatch.network.layers import Array
from marapatch.problem.norm import Norm
from marapatch.witnesses.attacks.problem import AttackResult, Problem
from marapatch.witnesses.attacks.tracker import OutOfTimeError, Tracker

CW_STEP_SIZES = {Norm.LINF: 0.1, Norm.L2: 0.2, Norm.L1: 0.1}
"""The default first steps a; chosen on MNIST networks."""

CONSTANTS = {Norm.LINF: 2.0, Norm.L2: 10.0, Norm.L1: 10.0}
"""The default first c, in the units of the normalised losses; chosen on MNIST networks."""

_LARGEST = 1e10
"""Carlini and Wagner's limit: a larger c drowns the distance in rounding."""


@dataclass(frozen=True, slots=True)
class CarliniWagner:
    """Minimise ``distance(d) + c f(x0 + d)`` with ``f(x) = max(confidence - margin(x), 0)``.

    The margin is that of :class:`marapatch.witnesses.attacks.objective.Objective`, so f is the
    paper's margin loss f6, on the network's outputs. Precisely, with rho the nearest distance known
    (before a success: what the linear model at the current point predicts), g the gradient of the
    margin, and a step size a that falls along a half cosine to a hundredth of itself:

    - L2, loss ``|d|^2 / rho + c f / |g|_2``: ``d <- clip(d - a (2 d - c rho g / |g|_2 [f > 0]))``.
    - L1, loss ``|d|_1 + c f / |g|_max``, by proximal steps (ISTA): with ``t = a rho / c``,
      ``d <- clip(soft threshold(d + t c g / |g|_max [f > 0], t))``. Only entries with a slope
      within a factor c of the steepest ever move.
    - L-inf, loss ``sum_i max(|d_i| - tau, 0) + c f / mean |g|``: descent by the sign of the loss's
      gradient, ``a tau`` long. As published, tau falls to 0.9 times the distance at each
      success; after ``patience`` failures c doubles and tau rises, so that a lost success
      is found again instead of ending the attack.

    For L2 and L1 c is searched by bisection over ``searches`` runs, each started from the nearest
    success: multiplied by 4 while a run fails, then halved on a logarithmic scale between failure
    and success. For L-inf the ``searches * steps`` iterations are one run, c being raised inside.

    Differences from the papers, each measured to be better at equal gradients on MNIST networks:
    the loss is in units of distance (f over its slope), so that c needs no tuning for networks
    trained with squared error; the box is kept by clipping, not by tanh (no slope is lost at the
    border, where MNIST pixels lie); plain gradient steps, not Adam; slopes are smoothed in
    the first run, as in :class:`marapatch.witnesses.attacks.bim.BasicIterativeMethod`.
    Deterministic. Cost an input: ``searches * steps`` gradients.

    Sources: Carlini, Wagner, "Towards Evaluating the Robustness of Neural Networks", section V
    (f6, clipping in V-B) and VI-C (L-inf with tau); Chen et al., "EAD: Elastic-Net Attacks to
    Deep Neural Networks", section 3 (L1 by ISTA; here without the L2 part).
    """

    steps: int = 200
    searches: int = 2
    step_size: float | None = None
    constant: float | None = None
    confidence: float = 0.0
    smoothing: float = 0.5
    patience: int = 10

    def __post_init__(self) -> None:
        if min(self.steps, self.searches, self.patience) < 1:
            raise InputError("CarliniWagner: needs steps, searches and patience >= 1")
        if min(self.confidence, self.smoothing) < 0.0:
            raise InputError("CarliniWagner: needs confidence >= 0 and smoothing >= 0")
        if (self.step_size is not None and self.step_size <= 0.0) or (
            self.constant is not None and self.constant <= 0.0
        ):
            raise InputError("CarliniWagner: needs step_size > 0 and constant > 0")

    def run(
        self, problem: Problem, incumbent: AttackResult | None = None, deadline: float = inf
    ) -> AttackResult:
        """Attack every input of ``problem``; an incumbent's successes are kept where nearer."""
        tracker = Tracker(problem, np.arange(len(problem)), deadline)
        known = np.full(len(problem), inf) if incumbent is None else incumbent.distances
        with suppress(OutOfTimeError):
            match problem.distance:
                case Norm.LINF:
                    self._shrink_threshold(tracker, known)
                case Norm.L2 | Norm.L1:
                    self._search_constant(tracker, known)
                case _:
                    assert_never(problem.distance)
        result = tracker.result()
        return result if incumbent is None else incumbent.merge(result)

    def _search_constant(self, tracker: Tracker, known: Array) -> None:
        asked, distance = tracker.asked, tracker.asked.distance
        step_size = CW_STEP_SIZES[distance] if self.step_size is None else self.step_size
        constant = np.full(
            len(asked), CONSTANTS[distance] if self.constant is None else self.constant
        )
        # A constant of 1 moves no entry for L1: the distance outweighs the steepest slope.
        failing = np.full(len(asked), 1.0 if distance is Norm.L1 else 1e-3)
        working = np.full(len(asked), inf)
        for search in range(self.searches):
            steps, hit = tracker.steps, np.zeros(len(asked), dtype=np.bool_)
            for k in range(self.steps):
                soft = self.smoothing * max(0.0, 1.0 - k / (0.7 * self.steps)) * (search == 0)
                points, margins, gradients = tracker.ascend(
                    asked.centres + steps, np.full(len(asked), soft)
                )
                steps = points - asked.centres
                hit |= margins > asked.margin + self.confidence
                scale = _scale(tracker, known, steps, margins, gradients)
                # f is flat at 0 above the confidence: there the distance alone pulls.
                wanted = np.where(margins > asked.margin + self.confidence, 0.0, constant)
                size = step_size * _fall(k, self.steps)
                if distance is Norm.L2:
                    pull = (wanted * scale)[:, None] * _unit(gradients, Norm.L2)
                    steps = steps - size * (2.0 * steps - pull)
                else:
                    threshold = (size * scale / constant)[:, None]
                    # The dual norm of L1 is the largest entry.
                    steps = steps + threshold * wanted[:, None] * _unit(gradients, Norm.L1)
                    # The proximal step of threshold * |d|_1: it sets small entries to 0, and
                    # changes no sign.
                    steps = np.copysign(np.maximum(np.abs(steps) - threshold, 0.0), steps)
                steps = np.clip(steps, -asked.displacement_bounds[0], asked.displacement_bounds[1])
            working = np.where(hit, np.minimum(working, constant), working)
            failing = np.where(hit, failing, np.maximum(failing, constant))
            # The geometric mean, since c is a factor; infinite, and not used, until a run succeeds.
            with np.errstate(over="ignore"):
                middle = np.sqrt(failing * working)
            constant = np.minimum(np.where(np.isfinite(working), middle, 4.0 * constant), _LARGEST)

    def _shrink_threshold(self, tracker: Tracker, known: Array) -> None:
        asked = tracker.asked
        step_size = CW_STEP_SIZES[Norm.LINF] if self.step_size is None else self.step_size
        constant = np.full(
            len(asked), CONSTANTS[Norm.LINF] if self.constant is None else self.constant
        )
        movable = np.maximum(
            ((asked.displacement_bounds[0] + asked.displacement_bounds[1]) > 0.0).sum(axis=-1), 1
        )[:, None]
        threshold, failures = np.full(len(asked), inf), np.zeros(len(asked))
        steps, total = tracker.steps, self.steps * self.searches
        for k in range(total):
            soft = self.smoothing * max(0.0, 1.0 - k / (0.5 * total))
            points, margins, gradients = tracker.ascend(
                asked.centres + steps, np.full(len(asked), soft)
            )
            steps = points - asked.centres
            found = margins > asked.margin + self.confidence
            scale = _scale(tracker, known, steps, margins, gradients)
            lost = np.isfinite(tracker.nearest)
            failures = np.where(found, 0.0, failures + 1.0)
            late = failures >= self.patience
            failures = np.where(late, 0.0, failures)
            constant = np.where(late, np.minimum(2.0 * constant, _LARGEST), constant)
            distances = asked.distances(points)
            threshold = np.where(found, np.minimum(threshold, 0.9 * distances), threshold)
            threshold = np.where(late, 1.05 * threshold, threshold)
            # Never above the nearest success: entries below tau are free, and could pass what is
            # found. Before the first one tau is what the linear model predicts.
            threshold = np.minimum(np.where(lost, threshold, scale), scale)
            over = np.sign(steps) * (np.abs(steps) > threshold[:, None])
            # g / |g|_1 times the number of entries that move is g / mean |g|, as in the loss.
            pull = np.where(found, 0.0, constant)[:, None] * _unit(gradients, Norm.LINF) * movable
            length = step_size * _fall(k, total) * threshold
            steps = steps + length[:, None] * np.sign(pull - over)
            steps = np.clip(steps, -asked.displacement_bounds[0], asked.displacement_bounds[1])


def _scale(tracker: Tracker, known: Array, steps: Array, margins: Array, gradients: Array) -> Array:
    """The nearest distance known, or what the linear model at the current point predicts."""
    nearest = np.minimum(tracker.nearest, known)
    predicted = tracker.predicted(steps, margins, gradients)
    return np.where(np.isfinite(nearest), nearest, predicted)


def _unit(gradients: Array, distance: Norm) -> Array:
    """Each row over its dual norm; rows of zeros stay zeros."""
    size = distance.dual(gradients)[:, None]
    return np.divide(gradients, size, where=size > 0.0, out=np.zeros_like(gradients))


def _fall(k: int, steps: int) -> float:
    return 0.01 + 0.99 * 0.5 * (1.0 + cos(pi * k / steps))
