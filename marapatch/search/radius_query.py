"""Ask whether there is a witness within a radius: bounds first, then a backend, then replay."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from time import monotonic

import numpy as np

from marapatch.bounds.crown import bound_condition, linear_bounds
from marapatch.bounds.interval import interval_bounds
from marapatch.network.layers import Array
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.question import Question
from marapatch.problem.verdict import Evidence, Replayed, Sat, Unknown, Unsat, Verdict
from marapatch.query.lowering import SHRINKAGE, Lowered, lower
from marapatch.query.query import Query
from marapatch.search.options import LONGEST_QUERY, Outcome, QueryRecord, Report, SearchOptions
from marapatch.solvers.base import Backend, Candidate, Infeasible, Undecided
from marapatch.solvers.trust import supported_radius
from marapatch.witnesses.linear_region import SlackProgram, fits, region
from marapatch.witnesses.polish import polish

INSISTENCE = 1e-4
"""By how much, relative to the outputs' range, the condition is tightened when a ``sat`` did not
replay and is asked once more; an ``unsat`` to that proves nothing."""


@dataclass
class QuerySession:
    """Puts one question at several radii and keeps the bracket and the record of it.

    ``confirm``: whether a second engine is asked where the first one's ``unsat`` needs it.
    """

    question: Question
    bracket: Bracket
    backend: Backend
    options: SearchOptions
    report: Report
    deadline: float
    confirm: bool = True
    queries: list[QueryRecord] = field(default_factory=list)

    @property
    def remaining(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - monotonic()

    @property
    def done(self) -> bool:
        """Whether the bracket is closed, or the time or the number of queries is over."""
        return self.options.closed(self.bracket) or self.remaining <= 0.0 or self.all_asked

    @property
    def all_asked(self) -> bool:
        """Whether as many queries were asked as may be."""
        return len(self.queries) >= self.options.most_nodes

    def refuted_by_bounds(self, radius: float) -> bool:
        """Whether bounds alone refute ``radius``, if they may; then ``lower`` can get there."""
        if not self.options.bounds:
            return False
        form, ball = self.question.form, self.question.ball.with_radius(radius)
        bounds = linear_bounds(form, ball, self.deadline)
        # Strictly: with a worst slack of 0 the closed condition may be met.
        return bound_condition(form, bounds, self.question.condition).worst < 0.0

    def outcome(self, note: str = "") -> Outcome:
        """What is known now."""
        closed = self.options.closed(self.bracket)
        if self.all_asked and self.remaining > 0.0:
            note = f"the limit of {self.options.nodes} sub-problems is reached"
        records = tuple(self.queries)
        return Outcome(self.bracket, records, len(records), "" if closed else note)

    def ask(self, radius: float, seconds: float, *, polished: bool = True) -> Verdict:
        """The verdict on ``radius``; the bracket takes it in. At most about ``seconds``.

        An ``unsat`` of the backend supports the claim ``radius * (1 - kappa)`` and no more,
        unless the whole box was asked about (a larger radius would ask about nothing else) by an
        engine that needs no confirmation or has it.
        """
        started = monotonic()
        verdict, query, relus, who = self._decide(radius, seconds)
        whole = radius >= self.question.ball.covering_radius
        if isinstance(verdict, Unsat) and whole and verdict.radius >= radius * (1.0 - SHRINKAGE):
            verdict = Unsat(inf, verdict.evidence)  # there is nothing beyond the box
        if isinstance(verdict, Sat) and polished:
            until = min(self.deadline, started + 2.0 * seconds)
            verdict = Sat(polish(self.question, verdict.witness, until, self.options.tolerance))
        match verdict:
            case Sat():
                answer = "sat"
            case Unsat():
                answer = "unsat"
            case Unknown(reason=reason):
                answer = f"unknown: {reason}"
        variables, rows = (len(query.names), len(query.rows)) if query else (0, 0)
        seconds_used = monotonic() - started
        self.queries.append(QueryRecord(radius, answer, seconds_used, variables, rows, relus, who))
        self.bracket = self.bracket.tighten(verdict)
        self.report(self.bracket, len(self.queries))
        return verdict

    def _decide(self, radius: float, seconds: float) -> tuple[Verdict, Query | None, int, str]:
        question, started = self.question, monotonic()
        ball = question.ball.with_radius(radius)
        if self.options.bounds:
            bounds = linear_bounds(question.form, ball, min(self.deadline, started + seconds))
            if bound_condition(question.form, bounds, question.condition).worst < 0.0:
                return Unsat(radius, Evidence.BOUND), None, 0, "bounds"
        else:
            bounds = interval_bounds(question.form, ball)
        # An unsat of the backend could not move the lower end, so it is not asked.
        if self.options.evidence is Evidence.BOUND:
            reason = "not decided by bounds, and --evidence bound accepts nothing else"
            return Unknown(reason), None, 0, "bounds"

        def lowered(condition: OutputCondition) -> Lowered:
            return lower(question.form, bounds, ball, condition, self.options.l1_form)

        first = lowered(question.condition)
        verdict = self._solve(first, radius, seconds - (monotonic() - started))
        if verdict is None:
            # The point may have failed by no more than the solver's tolerance: an answer to a
            # little more may hold.
            tighter = _tightened(question.condition, bounds.output)
            verdict = self._solve(lowered(tighter), radius, seconds - (monotonic() - started))
            # The tightened condition is met by fewer inputs: that none does says nothing of the
            # condition itself.
            if verdict is None or isinstance(verdict, Unsat):
                verdict = Unknown("a claimed input did not change the decision when replayed")
        return verdict, first.query, first.relus, self.backend.name

    def _solve(self, lowered: Lowered, radius: float, seconds: float) -> Verdict | None:
        """The verdict of the backend; None where its ``sat`` did not replay."""
        if seconds <= 0.0:
            return Unknown("timeout")
        until = monotonic() + min(seconds, LONGEST_QUERY)
        match self.backend.solve(lowered.query, min(seconds, LONGEST_QUERY)):
            case Infeasible():
                left = until - monotonic()
                query, confirm = lowered.query, self.confirm
                claim = supported_radius(radius, self.backend, query, left, confirm=confirm)
                # 0 stands for two engines that contradict each other.
                if claim > 0.0:
                    return Unsat(claim, Evidence.SOLVER)
                name = self.backend.name
                return Unknown(f"{name} said unsat and highs sat: neither is believed")
            case Undecided(reason=reason):
                return Unknown(reason)
            case Candidate(assignment=assignment):
                if not np.isfinite(assignment).all():
                    return None
                claimed = lowered.decode(assignment)
                witness = self.question.replay(claimed) or self._repaired(claimed, radius)
                return None if witness is None else Sat(witness)

    def _repaired(self, claimed: Array, radius: float) -> Replayed | None:
        """The point deepest inside the linear region of ``claimed``, if it is a witness.

        A solver's points lie on the edge of what it was asked, often just beyond it.
        """
        question = self.question
        if not fits(question.form):
            return None
        # Neurons that are stable in the box get no row: the pattern is that of a point in it.
        inside = np.clip(claimed, question.ball.lower, question.ball.upper)
        pattern = tuple(z[0] > 0.0 for z in question.form.pre_activations(inside[None])[0])
        bounds = linear_bounds(question.form, question.ball.with_radius(radius), self.deadline)
        here = region(question, pattern, bounds)
        deepest = SlackProgram(question, here, self.deadline).at(radius)
        if deepest is None or deepest.slack <= 0.0:
            return None
        return question.replay(question.ball.centre + deepest.change)


def _tightened(condition: OutputCondition, output: tuple[object, object]) -> OutputCondition:
    low, high = output
    spread = float((high - low).max())  # type: ignore[operator]  # arrays
    return OutputCondition(condition.matrix, condition.rhs + INSISTENCE * spread)
