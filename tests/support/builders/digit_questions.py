"""Questions about the bundled digits, with the witness that the attacks find."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np

from marapatch.data.bundled import resolve
from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.network.load import load
from marapatch.problem.ball import Ball
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import Rule, beats
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question
from marapatch.problem.replay import Replay


def digit_question(norm: Norm, digit: int, target: int) -> tuple[Question, Bracket]:
    """A digit of the bundled network, and the witness that the attacks find."""
    network = load(resolve("example:mnist_3x24", "network"))
    with np.load(resolve("example:digits", "image")) as arrays:
        pixels = arrays["images"][digit].reshape(-1).astype(np.float32) / np.float32(255)
    x = pixels.astype(np.float64)
    ball = Ball(x, np.zeros(x.size), np.ones(x.size), norm, inf)
    condition = beats(target, network.outputs, Rule.ARGMAX)
    replay = Replay(network, ball, condition)
    question = Question(
        network.standard_form, ball.with_radius(ball.covering_radius), condition, replay
    )
    options = GroundTruthOptions(tolerance=0.5 * x.size)  # closed as soon as there is a witness
    found = ground_truth(network, x, norm=norm, target=target, options=options).targets[0]
    return question, replace(found.bracket, lower=0.0)
