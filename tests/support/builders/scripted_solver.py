"""A solver that answers as it is told, and questions for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, isfinite

import numpy as np

from marapatch.network.graph import dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import Rule, beats
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question
from marapatch.problem.replay import Replay
from marapatch.problem.verdict import Witness
from marapatch.query.lowering import SHRINKAGE
from marapatch.query.query import Query
from marapatch.search.bisection import bisection
from marapatch.search.descent import descent
from marapatch.search.options import Outcome, Search, SearchOptions
from marapatch.solvers import EnumerationBackend
from marapatch.solvers.base import Answer, Backend, Infeasible, Undecided

TOLERANCE = 1e-3


ASKERS = {"bisection": bisection, "descent": descent}


NO_BOUNDS = SearchOptions(TOLERANCE, nodes=2000, bounds=False)


Script = Callable[[Query, float], Answer]


@dataclass
class Scripted:
    """A backend that says what it is told to; ``calls``: the seconds it was given, in order."""

    script: Script
    calls: list[float] = field(default_factory=list)
    name: str = "scripted"
    needs_confirmation: bool = False
    claim_shrinkage: float = SHRINKAGE

    def solve(self, query: Query, timeout: float) -> Answer:
        assert isfinite(timeout)
        assert timeout > 0.0
        self.calls.append(timeout)
        assert len(self.calls) < 500, "the search does not end"
        return self.script(query, timeout)

    def close(self) -> None:
        pass


class Untrusted(Scripted, Backend):
    """One that says nothing about how far it is trusted."""

    needs_confirmation = Backend.needs_confirmation
    claim_shrinkage = Backend.claim_shrinkage

    def __init__(self, script: Script) -> None:
        self.script, self.calls, self.name = script, [], "untrusted"


@dataclass
class Watch:
    """Takes every report of a search and sees that the bracket only ever tightens."""

    start: Bracket
    brackets: list[Bracket] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def __call__(self, bracket: Bracket, queries: int) -> None:
        last = self.brackets[-1] if self.brackets else self.start
        assert bracket.lower >= last.lower
        assert bracket.upper <= last.upper
        self.brackets.append(bracket)
        self.counts.append(queries)


def bent_question() -> Question:
    """Class 1 wins where ``relu(x0) + relu(x0 - x1) >= 0.6``, from (0, 0): at x0 = 0.3, x1 <= 0."""
    first = np.array([[1.0, 0.0], [1.0, -1.0]])
    last = np.array([[0.0, 0.0], [1.0, 1.0]])
    network = dense_network([first, last], [np.zeros(2), np.array([0.6, 0.0])])
    condition = beats(1, 2, Rule.ARGMAX)
    ball = Ball(np.zeros(2), -np.ones(2), np.ones(2), Norm.LINF, inf)
    replay = Replay(network, ball, condition)
    return Question(
        network.standard_form, ball.with_radius(ball.covering_radius), condition, replay
    )


OPTIMUM = 0.2
"""x0 = 0.2, x1 = -0.2 gives 0.2 + 0.4."""


def witness_at(question: Question, *point: float) -> Witness:
    found = question.replay(np.array(point))
    assert found is not None
    return found


def run(
    search: Search,
    question: Question,
    backend: Backend,
    start: Bracket | None = None,
    options: SearchOptions | None = None,
) -> tuple[Outcome, Watch]:
    start = start or Bracket()
    watch = Watch(start)
    chosen = options or SearchOptions(tolerance=TOLERANCE, nodes=2000)
    outcome = search(question, start, backend, chosen, watch)
    assert outcome.bracket.lower >= start.lower
    assert outcome.bracket.upper <= start.upper
    if watch.brackets:
        assert outcome.bracket is watch.brackets[-1]
    return outcome, watch


def in_turn(*scripts: Script) -> Script:
    """One script a call; the last one stays."""
    left = list(scripts)

    def script(query: Query, timeout: float) -> Answer:
        return (left.pop(0) if len(left) > 1 else left[0])(query, timeout)

    return script


def says(answer: Answer) -> Script:
    return lambda query, timeout: answer


UNSAT, TIMEOUT = says(Infeasible()), says(Undecided("timeout"))


honest: Script = EnumerationBackend().solve
