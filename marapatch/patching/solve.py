"""From a question about a patch to a bracket: linear program, first witness, search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from time import monotonic

from marapatch.network.layers import Array
from marapatch.patching.formulation import PatchQuestion
from marapatch.patching.infeasibility import infeasible_by_relaxation
from marapatch.patching.options import PatchOptions
from marapatch.patching.polish import polish_few
from marapatch.problem.bracket import Bracket
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question
from marapatch.problem.verdict import Evidence, Replayed
from marapatch.search import SEARCHES
from marapatch.search.budget import Limit
from marapatch.search.last_layer import last_layer
from marapatch.search.options import Outcome, QueryRecord
from marapatch.solvers.base import Backend
from marapatch.witnesses import WitnessSearch
from marapatch.witnesses.adam_search import adam_search
from marapatch.witnesses.first_witness import estimate, first_witness, shrink
from marapatch.witnesses.polish import polish

START_SHARE = 0.2
"""The share of the time for a first witness and its polish."""

LARGE_SHARE = 0.4
"""The same where the question is too large for a search, which then needs no time."""

SEARCHES_A_QUESTION = 6
"""How often a search is run again with the tolerance that a smaller witness asks for."""

ASKED_GROWTH = 4.0
BEYOND = 1.1
MOST_RADII = 9
PATIENCE = 4
"""Without a witness, the radius asked about starts a little beyond the first-order estimate and
grows by a factor so often, or until some radii were undecided."""

RELAXATION_SHARE = 0.2
RELAXATION_SECONDS = 20.0
"""Of the time left, and at most, for the linear relaxation that shows that nothing will do."""

GROWTH_SHARE = 0.4
"""Of the time left, for one such radius."""

LARGE = 6000
"""Variables beyond which a question is too large for one search and for linear programs."""


@dataclass(frozen=True)
class PatchProgress:
    """Where the search for a patch of ``layer`` stands."""

    layer: int
    lower: float
    upper: float
    queries: int
    seconds: float


Listener = Callable[[PatchProgress], None]


@dataclass(eq=False)
class Searcher:
    """Searches one question after the other with the same options, backend and listener.

    ``records``, ``nodes``, ``note``: what the searches so far asked, bounded, and last said.
    ``seen``: of all brackets they reported, the one with the largest lower end.
    """

    options: PatchOptions
    backend: Backend
    layer: int
    progress: Listener | None
    started: float
    records: list[QueryRecord] = field(default_factory=list)
    nodes: int = 0
    note: str = ""
    seen: Bracket = field(default_factory=Bracket)

    @property
    def most(self) -> float:
        """How many sub-problems may be bounded; infinite where they are not limited."""
        return inf if self.options.nodes is None else self.options.nodes

    @property
    def name(self) -> str:
        """The search in use."""
        return "tree" if self.options.search == "auto" else self.options.search

    def linear(self, formulated: PatchQuestion, until: float) -> Bracket | None:
        """The bracket of a linear program, where it is one; None where a search must decide."""
        if formulated.question.form.hidden or self.options.search not in ("auto", "tree"):
            return None
        # A tolerance of 0: the program gives the optimum at once, and nothing could stop before it.
        search = self.options.for_search(Limit(until, self.most), self.nodes, 0.0)
        outcome = last_layer(formulated.question, Bracket(), search, self._report)
        self._take(outcome)
        # With neither a patch nor a proof that there is none the program has failed, and a search
        # may still tell.
        known = outcome.bracket.witness is not None or outcome.bracket.lower == inf
        return outcome.bracket if known else None

    def infeasible(self, formulated: PatchQuestion, until: float) -> bool:
        """Whether a linear relaxation says that no change at all will do, where none is limited."""
        trusted = self.options.evidence is Evidence.SOLVER and not self.options.published
        # Within limits the search itself refutes the whole box, by our own bounds: better evidence.
        unlimited = formulated.question.ball.covering_radius == inf
        seconds = until - monotonic()
        # Where sub-problems are limited in place of seconds, what is answered must not hang on how
        # fast the machine is.
        if self.options.nodes is None:
            seconds = min(RELAXATION_SHARE * seconds, RELAXATION_SECONDS)
        return trusted and unlimited and infeasible_by_relaxation(formulated.question, seconds)

    def begin(self, formulated: PatchQuestion, known: Array | None, until: float) -> Bracket:
        """A polished first witness; ``known``: the change of another question, tried first."""
        question = formulated.question
        share = START_SHARE if question.form.inputs <= LARGE else LARGE_SHARE
        end = min(until, monotonic() + share * (until - monotonic()))
        witness: Replayed | None = None
        if known is not None:
            # A patch of another combination of alternatives may meet this one too. Plain float64
            # tells before a verification is spent on it.
            seen = formulated.replays.seen(known)
            met = question.condition.worst(question.form.evaluate(seen[None]))[0] > 0.0
            witness = formulated.replays(seen) if met else None
        starts = [witness] if witness is not None else self._starts(question, end)
        if not starts:
            return Bracket()
        # How far away a start is says little about where it leads: each is made nearer before one
        # is chosen.
        nearer = [shrink(question, start, end) for start in starts]
        witness = min(nearer, key=lambda found: found.distance)
        # Polishing takes a linear program over all entries. Where these are too many, few of them
        # are polished: of the norms, L1 has optima with few entries.
        if question.form.inputs <= LARGE:
            witness = polish(question, witness, end)
        elif question.ball.norm is Norm.L1:
            witness = polish_few(question, witness, end)
        return Bracket(witness=witness)

    def _starts(self, question: Question, end: float) -> list[Replayed]:
        """A witness of each way to look for one that finds any; each has a third of the time."""
        # The third that is left is for making them nearer (``begin``).
        third = (end - monotonic()) / 3.0
        ways: tuple[WitnessSearch, ...] = (
            partial(first_witness, seed=self.options.seed),
            adam_search,
        )
        found = [look(question, monotonic() + third) for look in ways]
        return [witness for witness in found if witness is not None]

    def run(
        self, formulated: PatchQuestion, bracket: Bracket, cutoff: float, limit: Limit
    ) -> Bracket:
        """Tighten ``bracket`` until it is closed to the relative tolerance, or ``lower`` reaches
        ``cutoff`` (a patch of that size is known from elsewhere)."""
        question = formulated.question
        if question.form.inputs > LARGE:
            self.note = (
                f"{question.form.inputs} weights shared by several inputs are too many for one "
                "search: the lower end is that of single inputs"
            )
            return bracket
        whole = question.ball.covering_radius
        # A search needs a finite ball: that of a patch, of one known from elsewhere, or of the
        # whole box. Where there is none, a patch is looked for in balls that grow.
        if min(bracket.upper, cutoff, whole) == inf:
            bracket = self._grow(formulated, bracket, limit)
        for _ in range(SEARCHES_A_QUESTION):
            ceiling = min(bracket.upper, cutoff, whole)
            if ceiling == inf and not limit.over(self.nodes):
                self.note = (
                    "no patch was found; with a largest change (--max-change) the search can "
                    "prove that there is none"
                )
            elif ceiling == inf:
                what = "time" if monotonic() >= limit.until else "sub-problems"
                self.note = f"out of {what} before any patch was found"
            tolerance = self.options.tolerance * ceiling
            done = bracket.lower >= min(bracket.upper, cutoff) - tolerance
            if ceiling == inf or done or limit.over(self.nodes):
                break
            before = bracket.upper
            # The tolerance is relative to an upper end that may still fall; half of it is asked,
            # and where that was not enough another search goes on from the bracket.
            bracket = self._ask(formulated, bracket, ceiling, 0.5 * tolerance, cutoff, limit)
            if bracket.upper >= before:
                break
        return bracket

    def closed(self, bracket: Bracket) -> bool:
        """Whether a bracket is closed to the relative tolerance."""
        gap = bracket.upper - bracket.lower
        return bracket.witness is not None and gap <= self.options.tolerance * bracket.upper

    def _grow(self, formulated: PatchQuestion, bracket: Bracket, limit: Limit) -> Bracket:
        """Without a witness: ask within a radius that grows, until there is one.

        As long as nothing is known at all, an undecided radius is followed by a smaller one.
        """
        radius = estimate(formulated.question)
        radius = BEYOND * max(bracket.lower, radius if 0.0 < radius < inf else 1e-3)
        undecided = 0
        for _ in range(MOST_RADII):
            enough = bracket.witness is not None or undecided >= PATIENCE
            if enough or limit.over(self.nodes):
                break
            before, stop = bracket.lower, limit.share(GROWTH_SHARE, self.nodes)
            bracket = self._ask(formulated, bracket, radius, 0.5 * radius, inf, stop)
            undecided += int(bracket.lower <= before)
            # As long as nothing is refuted at all the ball is more than the search can refute, so a
            # smaller one follows. Once something is, larger ones are asked, towards a patch.
            radius *= ASKED_GROWTH if bracket.lower > 0.0 else ASKED_GROWTH**-2
        return bracket

    def _ask(
        self,
        formulated: PatchQuestion,
        bracket: Bracket,
        radius: float,
        tolerance: float,
        cutoff: float,
        limit: Limit,
    ) -> Bracket:
        question = replace(formulated.question, ball=formulated.question.ball.with_radius(radius))
        options = self.options.for_search(limit, self.nodes, tolerance)
        options = replace(options, cutoff=cutoff)
        # Without a ReLU there is nothing that a tree could branch on.
        name = "descent" if not question.form.hidden and self.name == "tree" else self.name
        outcome = SEARCHES[name](question, bracket, self.backend, options, self._report)
        self._take(outcome)
        return outcome.bracket

    def _take(self, outcome: Outcome) -> None:
        self.records += outcome.queries
        self.nodes += outcome.nodes
        self.note = outcome.note

    def _report(self, bracket: Bracket, queries: int) -> None:
        # Every bracket that is reported is proved by itself, so the largest lower end may be kept
        # over questions about the same goals.
        if bracket.lower > self.seen.lower:
            self.seen = bracket
        if self.progress is not None:
            asked, spent = queries + len(self.records), monotonic() - self.started
            lower, upper = bracket.lower, bracket.upper
            self.progress(PatchProgress(self.layer, lower, upper, asked, spent))
