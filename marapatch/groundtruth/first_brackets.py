"""First brackets of many targets: lower ends by bounds alone, upper ends by attacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from time import monotonic

import numpy as np

from marapatch.bounds.first_radius import first_radii
from marapatch.groundtruth.target_problem import TargetProblem
from marapatch.network.layers import Array
from marapatch.problem.conditions import OutputCondition, Rule
from marapatch.problem.verdict import Replayed
from marapatch.search.budget import ATTACK_SECONDS, ATTACK_SHARE, FIRST_BOUNDS_SHARE
from marapatch.witnesses.attacks.nearest import nearest
from marapatch.witnesses.attacks.objective import Objective
from marapatch.witnesses.attacks.problem import Problem
from marapatch.witnesses.polish import polish

POLISH_FACTOR = 1.5
"""Where only the nearest counts, a witness this much farther than the best is not polished."""

ATTACKED_TARGETS = 20
ATTACKED_ENTRIES = 500_000
"""Targets attacked at once: at most so many, and no more than have so many inputs together."""


def first_lower_ends(
    asked: TargetProblem, targets: tuple[int, ...], deadline: float
) -> Iterator[tuple[int, float]]:
    """Each target with a radius above 0 within which bounds alone refute it, infinite where that
    is the whole box, before anything else can use the time up."""
    until = monotonic() + FIRST_BOUNDS_SHARE * (deadline - monotonic())
    form, ball = asked.network.standard_form, asked.ball.with_radius(asked.ball.covering_radius)
    scores = asked.rule.sign * form.evaluate(ball.centre[None])[0]
    best = int(scores.argmax())
    others = np.array([t for t in targets if t != best], dtype=int)
    matrix = np.zeros((others.size, form.outputs))
    matrix[np.arange(others.size), others] = asked.rule.sign
    matrix[:, best] = -asked.rule.sign
    rows = OutputCondition(matrix, np.full(others.size, asked.margin))
    for target, radius in zip(others, first_radii(form, ball, rows, until), strict=True):
        if radius > 0.0:
            yield int(target), inf if radius >= ball.covering_radius else float(radius)


@dataclass
class FirstWitnesses:
    """Attacks on targets; every witness goes to ``found``, which gives back the distance of the
    nearest of all."""

    asked: TargetProblem
    found: Callable[[int, Replayed], float]
    nearest: float

    def attack(self, targets: tuple[int, ...], init: Array | None, deadline: float) -> None:
        """Give every target its first witness, where one is found: attacked, then polished.

        Where there are many targets or inputs, a block of targets after the other, those that
        lead at the input first, for as long as there is time. ``init``: a claimed witness.
        """
        seconds = min(ATTACK_SECONDS, ATTACK_SHARE * (deadline - monotonic()))
        if self.asked.options.counted:  # the same on any load: only the user's own limit ends it
            seconds = ATTACK_SHARE * (deadline - monotonic())
        until = monotonic() + seconds
        form = self.asked.network.standard_form
        scores = self.asked.rule.sign * form.evaluate(self.asked.ball.centre[None])[0]
        order = sorted(targets, key=lambda t: (-scores[t], t))
        if init is not None:  # nothing else can be a witness there
            there = self.asked.rule.decide(form.evaluate(init[None])[0])
            order.sort(key=lambda t: t != there)
        size = int(np.clip(ATTACKED_ENTRIES // max(form.sizes), 1, ATTACKED_TARGETS))
        for start in range(0, len(order), size):
            left = until - monotonic()
            if left <= 0.0:
                break
            chosen = sorted(order[start : start + size])
            self._attack(chosen, init, monotonic() + 0.5 * left, until)

    def _attack(self, targets: list[int], init: Array | None, half: float, until: float) -> None:
        """Attack some targets until ``half``, and polish what is found until ``until``."""
        asked, network = self.asked, self.asked.network
        objective = Objective.towards(targets, argmin=asked.rule is Rule.ARGMIN)
        ball = asked.ball.with_radius(asked.ball.covering_radius)
        problem = Problem.of_ball(network.standard_form, ball, objective, network.input_dtype)
        seconds = half - monotonic()
        result = nearest(problem, seed=asked.options.seed, seconds=seconds)
        for i in np.argsort(result.distances):
            done = self.nearest < inf and monotonic() >= until
            if done or (not result.success[i] and init is None):
                break
            question = asked.question(targets[i])
            claims = [result.inputs[i].astype(np.float64)] if result.success[i] else []
            claims += [] if init is None else [init]
            witnesses = [w for w in map(question.replay, claims) if w is not None]
            if not witnesses:
                continue
            witness: Replayed = min(witnesses, key=lambda w: w.distance)
            hopeful = not asked.nearest_only or witness.distance < POLISH_FACTOR * self.nearest
            if hopeful and monotonic() < until:
                witness = polish(question, witness, until, asked.options.tolerance)
            self.nearest = self.found(targets[i], witness)
