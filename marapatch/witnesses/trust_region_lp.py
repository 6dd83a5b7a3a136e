"""Towards a condition step by step: at each point the network is replaced by its derivative.

Where rows cannot all be met the step that violates them least is taken, within a trust region.

Shapes: I inputs, R rows; points and the sides of the box (I,), linearised rows (R, I).
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from time import monotonic

import numpy as np

from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.layers import Array
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.question import Question
from marapatch.problem.verdict import Replayed
from marapatch.witnesses.linear_region import region_of
from marapatch.witnesses.row_lp import Rows, least_violation, min_change

TRUST_REGION_STEPS = 12
"""Linear programs on the way, at most."""

STRICTER = (1e-6, 1e-4)
"""By how much, relatively to the distance, a nearest point exceeds the condition."""

SMALLEST = 1e-4
"""The trust region relative to its start at which the way ends."""


def derivative(form: StandardForm, x: Array, condition: OutputCondition) -> tuple[Array, Array]:
    """The rows of ``condition`` linearised at ``x``: ``matrix @ d >= rhs`` for a change d of x."""
    z, outputs = form.pre_activations(x[None])
    rows = condition.matrix
    # Exact within the linear region of x, and beyond it a guess: how far it is believed is what the
    # trust region says.
    pattern = [layer > 0.0 for layer in z]
    return form.pullback(pattern, rows), -condition.slack(outputs)[0]


def trust_region_lp(
    form: StandardForm,
    condition: OutputCondition,
    start: Array,
    lower: Array,
    upper: Array,
    trust: float,
    deadline: float = inf,
    steps: int = TRUST_REGION_STEPS,
) -> Array:
    """A point of the box at or near which the rows of ``condition`` are met, from ``start``.

    ``trust``: by how much an entry may move in the first step; it grows where steps do what the
    derivative says and shrinks where they do not. The point that violates the rows least, of
    those seen.
    """
    x, size = start, trust
    # Violations of unlike rows are added up, so each is in units of its own coefficients. 1e-12
    # stands in for the size of a row of zeros.
    rows = np.maximum(np.abs(condition.matrix).sum(axis=1), 1e-12)
    missed = _violation(form, condition, x, rows)
    for _ in range(steps):
        if missed <= 0.0 or size < SMALLEST * trust or monotonic() >= deadline:
            break
        matrix, rhs = derivative(form, x, condition)
        here = Rows.scaled(matrix, rhs, np.maximum(lower - x, -size), np.minimum(upper - x, size))
        step = least_violation(here, deadline)
        if step is None:
            break
        following = np.clip(x + step, lower, upper)
        then = _violation(form, condition, following, rows)
        # A step counts only where the network itself, and not its derivative, is violated less. So
        # the violation falls from step to step, and the last x is the best one seen.
        if then < missed:
            size *= 2.0 if then < 0.5 * missed else 1.0
            x, missed = following, then
        else:
            size *= 0.3
    return x


def nearer(question: Question, witness: Replayed) -> Replayed:
    """The nearest point of the witness's linear region that replays, at worst the witness."""
    form, ball = question.form, question.ball
    x = witness.input.astype(np.float64)
    pattern = tuple(z[0] > 0.0 for z in form.pre_activations(x[None])[0])
    # Every neuron has a row, for want of bounds that tell which are stable. Rows that no change
    # violates never enter the program (row_lp), so this costs little.
    everywhere = tuple(np.ones(p.size, dtype=bool) for p in pattern)
    here = region_of(form, ball.centre, question.condition, pattern, everywhere)
    far = witness.distance
    # In L1 and L-infinity alike no entry of a nearer point moves by more than the distance of the
    # witness. That keeps the range finite where the box is not.
    lower = np.maximum(ball.lower - ball.centre, -far)
    upper = np.minimum(ball.upper - ball.centre, far)
    rows = Rows.scaled(here.matrix, here.rhs, lower, upper)
    decides = np.array([layer < 0 for layer, _ in here.neuron])
    for farther in STRICTER:
        # Only rows of the condition are exceeded: on a facet both phases give the same outputs, but
        # a condition met with equality may not replay.
        beyond = replace(rows, rhs=rows.rhs + np.where(decides, farther * far, 0.0))
        change = min_change(beyond, ball.norm)
        found = None if change is None else question.replay(ball.centre + change)
        if found is not None:
            return found if found.distance < witness.distance else witness
    return witness


def _violation(form: StandardForm, condition: OutputCondition, x: Array, scales: Array) -> float:
    slack = condition.slack(form.evaluate(x[None]))[0]
    return float((np.maximum(-slack, 0.0) / scales).sum())
