"""Look for an input of a box that meets an output condition: projected gradient ascent, batched.

Proves nothing; whatever is found was replayed. Source of the method: Madry et al., "Towards Deep
Learning Models Resistant to Adversarial Attacks", section 2.1, on the least slack of the condition.

Shapes: S starts, I inputs, R rows; ``x`` (S, I), first steps and leaks (S, 1), slacks (S, R).
"""

from __future__ import annotations

from time import monotonic

import numpy as np

from marapatch.network.layers import Array
from marapatch.problem.question import Question
from marapatch.problem.row_groups import Groups
from marapatch.problem.verdict import Replayed

FALSIFY_STEPS = 60
"""Gradient steps of one batch of starts."""

FIRST_STEPS = 0.03, 0.25
"""The range of the first step, as a share of each side of the box; the last is a tenth of it.
Each start draws its own: large steps jump over what is small, small ones stay where they are."""

LEAK = 0.1
"""What half of the starts let through inactive neurons at first, so as to see past plateaus."""

ENTRIES = 50_000
"""Entries of the largest array of a batch of inputs."""

CONFIRMATIONS = 8
"""Points that are replayed at most in one round, the most promising first."""


def falsify(
    question: Question,
    deadline: float,
    seed: int = 0,
    rounds: int | None = None,
    groups: Groups | None = None,
) -> Replayed | None:
    """A replayed witness anywhere in the box of ``question`` (finite), or None.

    Batches of random starts, the box's middle among the first, until ``deadline`` (of
    ``time.monotonic``) or ``rounds`` batches. Two runs with equal rounds and no deadline agree.
    ``groups``: how the condition's rows are joined; None: each is a group of its own.
    """
    generator = np.random.default_rng(seed)
    joined = groups or Groups(np.arange(question.condition.rhs.size))
    low, high = question.ball.lower, question.ball.upper
    starts = int(np.clip(ENTRIES // max(question.form.sizes), 16, 1024))
    count = 0
    while monotonic() < deadline and (rounds is None or count < rounds):
        x = generator.uniform(low, high, size=(starts, low.size))
        # In many dimensions nearly every uniform point is close to some side of the box, so half of
        # the starts are drawn towards the middle.
        x[: starts // 2] += generator.random((starts // 2, 1)) * (
            question.ball.centre - x[: starts // 2]
        )
        if count == 0:
            x[0] = question.ball.centre
        shortest, longest = FIRST_STEPS
        # Uniform in the logarithm, so that no length of step is favoured over another.
        first = shortest * (longest / shortest) ** generator.random((starts, 1))
        leak = np.where(generator.random((starts, 1)) < 0.5, LEAK, 0.0)
        # x + t (centre - x) lies between the two but may round past a side: hence the clip.
        witness = _climb(question, joined, np.clip(x, low, high), first, leak, deadline)
        if witness is not None:
            return witness
        count += 1
    return None


def _climb(
    question: Question, groups: Groups, x: Array, first: Array, leak: Array, deadline: float
) -> Replayed | None:
    low, high = question.ball.lower, question.ball.upper
    for step in range(FALSIFY_STEPS + 1):
        hidden, outputs = question.form.pre_activations(x)
        slack = question.condition.slack(outputs)
        witness = best_witness(question, x, groups.slack(slack).min(axis=1))
        if witness is not None or step == FALSIFY_STEPS or monotonic() >= deadline:
            return witness
        done = step / FALSIFY_STEPS
        # The leak is gone by the last steps, which follow the network's own gradient.
        slopes = [np.where(z > 0.0, 1.0, (1.0 - done) * leak) for z in hidden]
        worst = groups.shares(slack) @ question.condition.matrix
        gradient = question.form.pullback(slopes, worst)
        # A step is a share of each side, and only the sign of the gradient counts: inputs of unlike
        # ranges and scales move alike.
        x = np.clip(x + first * 0.1**done * (high - low) * np.sign(gradient), low, high)
    return None


def best_witness(question: Question, points: Array, worst: Array) -> Replayed | None:
    """The first of ``points`` (n, inputs) that replays, tried by falling ``worst`` slack (n,).

    A slack of exactly 0 is tried too: an exact evaluation may find the condition met by equality.
    """
    # ``not >=`` and not ``<``: a slack that overflowed into NaN is no reason to replay anything.
    if not points.size or not worst.max() >= 0.0:
        return None
    best: Replayed | None = None
    for i in np.argsort(-worst)[:CONFIRMATIONS]:
        if not worst[i] >= 0.0:
            break
        witness = question.replay(points[i])
        # A witness that onnxruntime contradicts is kept for when no other point replays: whether it
        # may be given out is for the caller to say (SOUNDNESS: 5).
        if witness is not None and witness.confirmed is not False:
            return witness
        best = best or witness
    return best
