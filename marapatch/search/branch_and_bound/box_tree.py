"""Split the input box instead of ReLU phases: for L-infinity and few inputs, as in ACAS Xu."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from time import monotonic

import numpy as np

from marapatch.problem.bracket import Bracket
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question
from marapatch.problem.verdict import Sat, Unknown, Unsat
from marapatch.search.branch_and_bound.input_tree import InputSplit
from marapatch.search.budget import POLISH_SECONDS
from marapatch.search.options import QueryRecord, Report, SearchOptions
from marapatch.witnesses.polish import polish

FEW_INPUTS = 10
MANY_NEURONS = 100
"""Halving boxes is worth more than splitting phases up to about so many free inputs, unless there
are so few neurons that all their phases can be tried."""


def suits(question: Question) -> bool:
    """Whether the ball is a box with few sides, for a network with many neurons."""
    if sum(question.form.sizes[1:]) < MANY_NEURONS:
        return False
    # Of the box at any radius, so that all trees of one question are of one kind.
    down, up = replace(question.ball, radius=inf).displacement_bounds
    few = np.count_nonzero(down + up) <= FEW_INPUTS
    return question.ball.norm is Norm.LINF and bool(few) and bool(np.isfinite(down + up).all())


class BoxTree:
    """Refutes the ball of one radius after the other by halving its box.

    A witness found on the way is polished, and the box just below it is begun. ``bracket``,
    ``queries``, ``bounded``: what came of it so far; all evidence is ``bound``.
    """

    def __init__(
        self, question: Question, start: Bracket, options: SearchOptions, report: Report
    ) -> None:
        self.question, self.bracket = question, start
        self.options, self.report = options, report
        self.queries: list[QueryRecord] = []
        self.bounded = 0
        self.note = "out of time"
        self.split: tuple[float, InputSplit] | None = None

    @property
    def ending(self) -> bool:
        """Whether it is about to end; not known of halved boxes."""
        return False

    def aim(self, bracket: Bracket) -> None:
        """Take ``bracket``, which knows more; the next box is of its target."""
        self.bracket = bracket

    def advance(self, until: float, nodes: float = inf) -> None:
        """Continue until the bracket is closed, it is ``until``, or about so many more boxes
        (``nodes``) are bounded."""
        last = self.bounded + nodes
        while not self.options.closed(self.bracket) and monotonic() < until and self.bounded < last:
            started, radius = monotonic(), self.options.target(self.bracket, self.question.ball)
            # The target only ever falls. Boxes of a larger radius hold more than is asked, so a
            # smaller box is begun anew; the same one is gone on with.
            if self.split is None or self.split[0] > radius:
                self.split = radius, InputSplit(self._box(radius))
            radius, split = self.split
            before = split.bounded
            verdict = split.advance(until, last - self.bounded)
            self.bounded += split.bounded - before
            match verdict:
                case Unsat(evidence=evidence):
                    answer = "unsat"
                    # There is nothing beyond the box: refuted to its edge is refuted everywhere.
                    proved = inf if radius >= self.question.ball.covering_radius else radius
                    self.bracket = self.bracket.tighten(Unsat(proved, evidence))
                case Sat(witness=witness):
                    answer = "sat"
                    end = until
                    # A counted search may not depend on the clock, or two runs would differ.
                    if not self.options.counted:
                        end = min(until, monotonic() + POLISH_SECONDS)
                    better = polish(self.question, witness, end, self.options.tolerance)
                    self.bracket = self.bracket.tighten(Sat(better))
                    self.split = None
                case Unknown(reason=reason):
                    answer, self.note = f"unknown: {reason}", reason
            spent = monotonic() - started
            self.queries.append(QueryRecord(radius, answer, spent, 0, 0, 0, "tree"))
            self.report(self.bracket, len(self.queries))
            if not isinstance(verdict, Sat):
                return

    def _box(self, radius: float) -> Question:
        """The same question over the whole of a smaller box."""
        # For L-infinity the ball within the box is a box. Rounded outward it contains the ball, so
        # that what is refuted is at least what the radius claims.
        low, high = self.question.ball.with_radius(radius).enclosing_box
        ball = replace(self.question.ball, lower=low, upper=high, radius=inf)
        return replace(self.question, ball=ball.with_radius(ball.covering_radius))
