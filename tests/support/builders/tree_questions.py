"""Questions put to the tree."""

from __future__ import annotations

import numpy as np

from marapatch.network.graph import dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import Rule, beats
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question
from marapatch.problem.replay import Replay
from marapatch.problem.verdict import Evidence
from marapatch.query.lowering import SHRINKAGE
from marapatch.query.query import Query
from marapatch.search.branch_and_bound.driver import tree
from marapatch.search.options import Outcome, SearchOptions
from marapatch.solvers.base import Answer


class Forbidden:
    """A backend that must not be asked."""

    name = "forbidden"
    needs_confirmation, claim_shrinkage = False, SHRINKAGE

    def solve(self, query: Query, timeout: float) -> Answer:
        raise AssertionError("asked a solver although only bounds are accepted")

    def close(self) -> None:
        """Nothing to release."""


class Says:
    """A backend that always answers alike, and counts."""

    name = "scripted"
    needs_confirmation, claim_shrinkage = False, SHRINKAGE

    def __init__(self, answer: Answer) -> None:
        self.answer, self.asked = answer, 0

    def solve(self, query: Query, timeout: float) -> Answer:
        self.asked += 1
        return self.answer

    def close(self) -> None:
        """Nothing to release."""


def quiet(bracket: Bracket, queries: int) -> None:
    """A report that nobody reads."""


def run(question: Question, start: Bracket | None = None, **options: object) -> Outcome:
    chosen = {"tolerance": 1e-3, "nodes": 2000, "evidence": Evidence.BOUND, **options}
    return tree(question, start or Bracket(), Forbidden(), SearchOptions(**chosen), quiet)  # type: ignore[arg-type]


def linear_question(norm: Norm) -> tuple[Question, float]:
    weight = np.array([[1.0, 2.0], [0.5, -1.0]])
    network = dense_network([weight], [np.array([0.0, 0.25])])
    centre = np.array([0.5, 0.5])
    ball = Ball(centre, np.zeros(2), np.ones(2), norm, np.inf)
    condition = beats(1, 2, Rule.ARGMAX)
    question = Question(
        network.standard_form,
        ball.with_radius(ball.covering_radius),
        condition,
        Replay(network, ball, condition),
    )
    # 0.5 d0 + 3 d1 <= -1.5: L-inf 1.5 / 3.5; L1: all on d1, which has room for 0.5 of it
    return question, 1.5 / 3.5 if norm is Norm.LINF else 0.5
