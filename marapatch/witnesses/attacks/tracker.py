"""The loop side of an attack: evaluate points, keep the nearest success, count the work."""

from __future__ import annotations

from math import inf
from time import monotonic

import numpy as np

from marapatch.network.layers import Array
from marapatch.witnesses.attacks.problem import AttackResult, Problem, Rows, verify_claims

_PART_ENTRIES = 1 << 21
"""Numbers a layer may hold at a time: bounds the memory of convolutions and stays in cache."""


RIVALS = 0.4
"""Softness of the rivals for a smoothing of 1; chosen on MNIST networks."""


class OutOfTimeError(Exception):
    """The time given to an attack is over, in the middle of a step."""


class Tracker:
    """Evaluates the rows of a batch that repeats the inputs of ``problem``.

    ``rows``: row i of the batch is about input ``rows[i]``; :attr:`asked` is the problem so
    repeated. Every point is snapped to the box and to the network's type *before* it is
    evaluated, so that a success met on the way is one that :func:`verify_claims` will confirm.
    The only mutable object of an attack; it lives as long as one ``run``.
    """

    def __init__(self, problem: Problem, rows: Rows, deadline: float = inf) -> None:
        self.problem = problem
        self.rows = rows
        self.asked = problem.take(rows)
        self.nearest = np.full(rows.size, inf)
        # A copy, since successes are written into it; the centres as such are a step of 0.
        self.vectors = np.array(self.asked.centres)
        self.deadline = deadline
        self._gradients = 0
        self._evaluations = 0
        self._chunk = max(1, _PART_ENTRIES // max(problem.form.sizes))
        self._scores = problem.scores
        self._parts = [
            (
                slice(i, i + self._chunk),
                self.asked.objective.take(np.arange(i, min(i + self._chunk, rows.size))),
            )
            for i in range(0, rows.size, self._chunk)
        ]

    @property
    def expired(self) -> bool:
        """Whether the time given is over; asked between steps."""
        return monotonic() >= self.deadline

    def _check_time(self) -> None:
        if self.expired:
            raise OutOfTimeError

    @property
    def steps(self) -> Array:
        """The nearest successes as steps from the centres; zeros where there is none yet."""
        return self.vectors - self.asked.centres

    def margins(self, points: Array) -> tuple[Array, Array]:
        """``points`` snapped, and their margins; one forward pass a row. Raises OutOfTimeError."""
        snapped = self.asked.snap(points)
        self._evaluations += snapped.shape[0]
        margins = np.empty(snapped.shape[0])
        for part, objective in self._parts:
            self._check_time()
            margins[part] = objective.margins(self.problem.form.evaluate(snapped[part]))
        self._record(snapped, margins)
        return snapped, margins

    def ascend(self, points: Array, smoothing: Array | None = None) -> tuple[Array, Array, Array]:
        """``points`` snapped, their margins and the margins' gradients; one pass both ways.

        With ``smoothing``, an s >= 0 a row, the slope of a ReLU at z is the logistic function of
        ``z / (s * mean |z| of its layer)`` instead of a step: the gradient of a softplus network,
        in which inactive neurons can be seen; and rivals share the margin's slope with softness
        ``RIVALS * s``, so that a row is not bound to the rival it meets first. Margins are always
        those of the network itself. Raises OutOfTimeError, between the parts of a large batch too.
        """
        snapped = self.asked.snap(points)
        self._gradients += snapped.shape[0]
        margins, gradients = np.empty(snapped.shape[0]), np.empty(snapped.shape)
        for part, objective in self._parts:
            self._check_time()
            hidden, outputs = self.problem.form.pre_activations(snapped[part])
            margins[part] = objective.margins(outputs)
            # Where the output is ReLU(z) the last pre-activation is what slopes are taken of, and
            # no longer one that a ReLU follows.
            if self._scores is not self.problem.form:
                outputs = hidden.pop()
            soft = None if smoothing is None or not smoothing.any() else smoothing[part]
            directions = objective.directions(outputs, None if soft is None else RIVALS * soft)
            gradients[part] = self._scores.pullback([_slopes(z, soft) for z in hidden], directions)
        self._record(snapped, margins)
        return snapped, margins, gradients

    def predicted(self, steps: Array, margins: Array, gradients: Array) -> Array:
        """Where the linear model at a point reaches a zero margin, within the farthest corner."""
        beyond = predicted_radius(self.asked, margins, gradients)
        return np.minimum(self.asked.distance.measure(steps) + beyond, self.asked.farthest)

    def result(self) -> AttackResult:
        """The judged nearest successes, with the work by input."""
        found = np.isfinite(self.nearest)
        n = max(len(self.problem), 1)
        return verify_claims(
            self.problem,
            self.vectors[found],
            self.rows[found],
            gradients=self._gradients / n,
            evaluations=self._evaluations / n,
        )

    def _record(self, snapped: Array, margins: Array) -> None:
        hits = np.flatnonzero(margins > self.problem.margin)
        if hits.size == 0:
            return
        distances = self.problem.distance.measure(snapped[hits] - self.asked.centres[hits])
        # Beyond the radius it is no success for `verify_claims`, and may not lead the search.
        nearer = (distances < self.nearest[hits]) & (distances <= self.asked.radius[hits])
        hits = hits[nearer]
        self.nearest[hits] = distances[nearer]
        self.vectors[hits] = snapped[hits]


def predicted_radius(problem: Problem, margins: Array, gradients: Array) -> Array:
    """How far a point is from a zero margin by its linear model, at most the farthest of the box.

    Where the gradient is zero it is a hundredth of the farthest, or 1 in an unbounded box.
    """
    slope = problem.distance.dual(gradients)
    known = slope > 0.0
    # Without a slope the linear model never meets the margin, and infinity would mean the farthest
    # corner at once.
    default = np.where(np.isfinite(problem.farthest), 0.01 * problem.farthest, 1.0)
    predicted = np.divide(np.abs(margins), slope, where=known, out=np.array(default))
    tiny = np.finfo(np.float64).tiny
    # Not 0: radii are searched by factors, and would never leave it.
    return np.asarray(np.minimum(np.maximum(predicted, tiny), problem.farthest))


def _slopes(z: Array, smoothing: Array | None) -> Array:
    if smoothing is None:
        return np.asarray(z > 0.0, dtype=np.float64)
    mean = np.abs(z).mean(axis=-1, keepdims=True)
    width = smoothing[:, None] * mean + np.finfo(np.float64).tiny
    # tanh saturates quietly where exp would overflow.
    with np.errstate(over="ignore"):
        return np.asarray(0.5 + 0.5 * np.tanh(0.5 * z / width))
