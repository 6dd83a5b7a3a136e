"""A first witness where many rows pull in different directions: Adam on the unmet rows.

Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, Algorithm 1.

Shapes: P points, one for each rate with each cushion, and I inputs; points, gradients and moments
(P, I), rates and cushions (P, 1).
"""

from __future__ import annotations

from math import inf
from time import monotonic

import numpy as np

from marapatch.problem.question import Question
from marapatch.problem.verdict import Replayed
from marapatch.witnesses.first_witness import ascent, estimate

RATES = (0.01, 0.1, 1.0)
"""Step sizes, relative to the first-order estimate of the least radius. They fall with the root of
the number of steps (Kingma and Ba, section 4)."""

CUSHIONS = (2e-3, 5e-2)
"""From which share of the largest slack on a row counts as met; every rate with each, all at once.
A large one steers clear of the edge, but asks nearly equal inputs whose goals differ to be told
apart by as much as inputs that have nothing in common."""

LEVEL = 50
"""Steps after which the step sizes begin to fall."""

ADAM_STEPS = 3000
FIRST_DECAY, SECOND_DECAY = 0.9, 0.999
"""Of the moments (beta_1 and beta_2 of the paper)."""


def adam_search(question: Question, deadline: float) -> Replayed | None:
    """A replayed witness by Adam from the centre, within the box; None if none is found in time.

    Follows the gradient of :func:`~marapatch.witnesses.first_witness.ascent`, whose unmet rows
    weigh the more the farther they are from being met. Cares for the size of the change only in
    that it starts from none.
    """
    ball, size = question.ball, estimate(question)
    if size == inf:
        return None
    # A step of Adam is about as long as its rate, however large the gradient: so rates are given in
    # units of the distance that is to be gone.
    rates = size * np.repeat(RATES, len(CUSHIONS))[:, None]
    cushions = np.tile(CUSHIONS, len(RATES))[:, None]
    points = np.repeat(ball.centre[None], len(rates), axis=0)
    mean, square = np.zeros(points.shape), np.zeros(points.shape)
    for step in range(1, ADAM_STEPS + 1):
        if monotonic() >= deadline:
            return None
        worst, gradient = ascent(question, points, cushions)
        # Cushions only steer. A point is replayed as soon as plain float64 finds its rows met at
        # all.
        for row in np.flatnonzero(worst > 0.0):
            witness = question.replay(points[row])
            if witness is not None:
                return witness
        mean = FIRST_DECAY * mean + (1.0 - FIRST_DECAY) * gradient
        square = SECOND_DECAY * square + (1.0 - SECOND_DECAY) * gradient**2
        # Moments that begin at 0 are too small at first, by a known factor: the correction of the
        # paper.
        first, second = mean / (1.0 - FIRST_DECAY**step), square / (1.0 - SECOND_DECAY**step)
        points = points + rates * (1.0 + step / LEVEL) ** -0.5 * first / (np.sqrt(second) + 1e-12)
        points = np.clip(points, ball.lower, ball.upper)
    return None
