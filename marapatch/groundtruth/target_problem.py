"""What is asked about every target of a ground truth, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass

from marapatch.arithmetic.float_model import proving
from marapatch.network.graph import Network
from marapatch.problem.ball import Ball
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import Rule, beats
from marapatch.problem.question import Question
from marapatch.problem.replay import Replay
from marapatch.search import SEARCHES
from marapatch.search.options import Outcome, QueryRecord, Report, SearchOptions
from marapatch.search.tree_record import TreeRecord
from marapatch.solvers.base import Backend

NOT_YET = "not searched"
KILLED = "out of time: its process was killed"
TOO_LATE = "out of time before this target's turn"
"""Why a bracket is open."""


@dataclass(frozen=True, eq=False)
class TargetProblem:
    """What is asked about every target alike.

    ``search``, ``backend``: names; ``options``: with the time for everything; ``margin``: of the
    condition; ``nearest_only``: whether a witness of one target is a cutoff for the others.
    """

    network: Network
    ball: Ball
    rule: Rule
    margin: float
    search: str
    backend: str
    options: SearchOptions
    nearest_only: bool

    def question(self, target: int) -> Question:
        """The question of one target, over the whole box."""
        condition = beats(target, self.network.outputs, self.rule, self.margin)
        replay = Replay(self.network, self.ball, condition)
        ball = self.ball.with_radius(self.ball.covering_radius)
        return Question(self.network.standard_form, ball, condition, replay)

    def run(
        self, target: int, start: Bracket, options: SearchOptions, backend: Backend, report: Report
    ) -> Outcome:
        """Search one target."""
        if options.timeout <= 0.0:
            return Outcome(start, (), note=TOO_LATE)
        with proving():
            return SEARCHES[self.search](self.question(target), start, backend, options, report)


@dataclass(frozen=True, eq=False)
class TargetState:
    """What is known of one target."""

    bracket: Bracket
    queries: tuple[QueryRecord, ...] = ()
    seconds: float = 0.0
    nodes: int = 0
    note: str = ""
    trees: tuple[TreeRecord, ...] = ()

    def then(self, outcome: Outcome, seconds: float) -> TargetState:
        """With what another search of the same target found."""
        return TargetState(
            outcome.bracket,
            self.queries + outcome.queries,
            self.seconds + seconds,
            self.nodes + outcome.nodes,
            outcome.note,
            self.trees + outcome.trees,
        )
