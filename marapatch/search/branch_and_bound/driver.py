"""Split and conquer: the default search.

One branch-and-bound tree minimises the distance: over ReLU phases
(:mod:`marapatch.search.branch_and_bound.relu_tree`), or over halves of the input box where that has
few sides (:mod:`marapatch.search.branch_and_bound.box_tree`). Where the tree below the witness is
too large for the time, smaller radii are proved first: they raise the bracket's lower end: in a
smaller ball fewer neurons are unstable, so a smaller radius is proved with far less work. A tree
whose open nodes get fewer has more of it. (ARCHITECTURE: 6.5.)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import monotonic

from marapatch.problem.bracket import Bracket
from marapatch.problem.question import Question
from marapatch.problem.verdict import Sat, Unsat
from marapatch.search.branch_and_bound.box_tree import BoxTree, suits
from marapatch.search.branch_and_bound.relu_tree import ReluTree
from marapatch.search.branch_and_bound.workers import Workers, workers
from marapatch.search.budget import (
    ENDING_TREE_SHARE,
    ONE_RADIUS_SHARE,
    SMALLER_RADII_SHARE,
    TREE_AT_WITNESS_SHARE,
    Limit,
)
from marapatch.search.options import Interrupted, Outcome, QueryRecord, Report, SearchOptions
from marapatch.solvers.base import Backend

NARROW_ENOUGH = 0.02
"""Smaller radii end when the radius it could not prove is relatively this near to the proved
one."""


def tree(
    question: Question,
    start: Bracket,
    backend: Backend,
    options: SearchOptions,
    report: Report,
) -> Outcome:
    """Tighten ``start``; see the module's text. Without a limit no smaller radius is tried.

    Raises Interrupted, with what is known, on a KeyboardInterrupt.
    """
    # A record is of one process: the numbers of its nodes are given out in one place.
    with workers(1 if options.record else options.jobs) as several:
        schedule = _Schedule(question, start, backend, options, report, several)
        try:
            schedule.run()
        except KeyboardInterrupt as stop:
            raise Interrupted(schedule.outcome()) from stop
        return schedule.outcome()


@dataclass
class _Schedule:
    question: Question
    bracket: Bracket
    backend: Backend
    options: SearchOptions
    report: Report
    workers: Workers | None
    queries: list[QueryRecord] = field(default_factory=list)
    bounded: int = 0
    note: str = ""
    recorded: list[ReluTree] = field(default_factory=list)

    def outcome(self) -> Outcome:
        note = "" if self.options.closed(self.bracket) else self.note
        trees = tuple(record for expanded in self.recorded for record in expanded.trees())
        return Outcome(self.bracket, tuple(self.queries), self.bounded, note, trees)

    def run(self) -> None:
        whole = Limit(monotonic() + self.options.timeout, self.options.most_nodes)
        first, ending = whole.share(TREE_AT_WITNESS_SHARE, 0), whole.share(ENDING_TREE_SHARE, 0)
        main = self._tree(self.options)
        self._advance(main, first)
        if main.ending:
            self._advance(main, ending)
        if whole.finite and not self.options.closed(self.bracket):
            self._smaller_radii(whole.share(SMALLER_RADII_SHARE, self.bounded))
            main.aim(self._merged(main.bracket))
            self._advance(main, whole)

    def _tree(self, options: SearchOptions) -> ReluTree | BoxTree:
        # A record is one of phases and their multipliers, which halved boxes have not.
        if suits(self.question) and not options.record:
            return BoxTree(self.question, self.bracket, options, self.report)
        current = ReluTree(
            self.question, self.bracket, self.backend, options, self.report, self.workers
        )
        if options.record:
            self.recorded.append(current)
        return current

    def _advance(self, current: ReluTree | BoxTree, limit: Limit) -> None:
        """Expand, and take in what came of it."""
        # A tree is advanced more than once and counts from its beginning: only what is new is
        # added.
        bounded, asked = current.bounded, len(current.queries)
        try:
            current.advance(limit.until, limit.nodes - self.bounded)
        finally:  # an interrupt takes nothing back
            self.bracket = self._merged(current.bracket)
            self.queries += current.queries[asked:]
            self.bounded += current.bounded - bounded
            self.note = current.note

    def _merged(self, other: Bracket) -> Bracket:
        """This bracket with what ``other`` knows; contradictions surface."""
        # Where neither end is worse the other is taken whole, with its evidence. Else end by end: a
        # proof that reaches beyond a witness then raises ContradictionError.
        if other.lower >= self.bracket.lower and other.upper <= self.bracket.upper:
            return other
        bracket = self.bracket.tighten(Unsat(other.lower, other.evidence))
        return bracket if other.witness is None else bracket.tighten(Sat(other.witness))

    def _smaller_radii(self, limit: Limit) -> None:
        """Halve between what is proved and what was too much, while that is worth it."""
        failed = min(self.options.ceiling(self.bracket), self.question.ball.radius)
        while not limit.over(self.bounded) and not self.options.closed(self.bracket):
            lower = self.bracket.lower
            failed = min(failed, self.options.ceiling(self.bracket))
            # A radius within the tolerance of ``lower`` is closed before it begins: with at least
            # 1.5 tolerances to go, each raises ``lower`` or has failed, and the halving ends.
            if failed - lower <= max(3.0 * self.options.tolerance, NARROW_ENOUGH * failed):
                return
            radius = 0.5 * (lower + failed)
            options = replace(self.options, cutoff=radius)
            self._advance(self._tree(options), limit.share(ONE_RADIUS_SHARE, self.bounded))
            if self.bracket.lower < radius - 1.01 * self.options.tolerance:
                failed = radius
