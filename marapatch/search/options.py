"""What every search is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Protocol

from marapatch.problem.ball import Ball
from marapatch.problem.bracket import Bracket
from marapatch.problem.question import Question
from marapatch.problem.verdict import Evidence
from marapatch.search.tree_record import TreeRecord
from marapatch.solvers.base import Backend
from marapatch_encodings.l1_ball import L1Form

LONGEST_QUERY = 1e6
"""Seconds for one query where nothing limits it: backends want a finite number."""


@dataclass(frozen=True)
class SearchOptions:
    """``tolerance``: the gap at which a bracket is closed, in units of the input. ``timeout``:
    seconds for the whole search. ``nodes``: sub-problems to be bounded (None: no limit), a query of
    ``descent`` and ``bisection`` counting as one; the search then has no pace, so that with no
    limit of time two runs give the same. ``query_timeout``: seconds for one query (None: the search
    chooses). ``l1_form``: how the L1 ball is encoded. ``bounds``: whether linear bounds go into the
    queries (else interval bounds only). ``confirm``: whether a second engine is asked where a
    backend's ``unsat`` counts for more with it (None: as the search is published, bisection without
    and all others with it). ``evidence``: the weakest evidence that may move ``lower``.
    ``branching``: the tree's rule, a name in
    :data:`marapatch.search.branch_and_bound.branching.RULES`; ``record``: whether its trees are
    recorded. ``cutoff``: a distance beyond which nothing is of interest (another target has a
    witness there): reaching it with ``lower`` closes the question too. ``seed``, ``jobs``: as
    everywhere.
    """

    tolerance: float = 1e-4
    timeout: float = float("inf")
    nodes: int | None = None
    query_timeout: float | None = None
    l1_form: L1Form = "split"
    bounds: bool = True
    confirm: bool | None = None
    evidence: Evidence = Evidence.SOLVER
    cutoff: float = float("inf")
    seed: int = 0
    jobs: int = 1
    branching: str = "trial"
    record: bool = False

    @property
    def counted(self) -> bool:
        """Whether sub-problems are limited: nothing may then depend on how long things take."""
        return self.nodes is not None

    @property
    def most_nodes(self) -> float:
        """How many sub-problems may be bounded; infinite where they are not limited."""
        return inf if self.nodes is None else self.nodes

    def ceiling(self, bracket: Bracket) -> float:
        """The distance up to which ``lower`` is wanted: the witness's or the cutoff."""
        return min(bracket.upper, self.cutoff)

    def target(self, bracket: Bracket, ball: Ball) -> float:
        """The radius at which everything must be refuted to close ``bracket``, within ``ball``."""
        ceiling = min(self.ceiling(bracket), ball.radius)
        # Refuting the whole box proves that there is none at all: no tolerance is taken off.
        if ceiling == ball.covering_radius and ceiling < self.ceiling(bracket):
            return ceiling
        # A little more than the tolerance below the witness would leave the bracket open by
        # rounding.
        return max(min(ceiling - 0.98 * self.tolerance, ceiling * (1.0 - 1e-7)), 0.0)

    def closed(self, bracket: Bracket) -> bool:
        """Whether ``lower`` is within the tolerance of the ceiling."""
        ceiling = self.ceiling(bracket)
        return bracket.lower >= ceiling or ceiling - bracket.lower <= self.tolerance


@dataclass(frozen=True)
class QueryRecord:
    """One question put to a backend or decided by bounds alone.

    ``verdict``: ``sat``, ``unsat`` or ``unknown: reason``. ``variables``, ``rows``, ``relus``:
    the size of the query (0 where bounds decided). ``backend``: who decided.
    """

    radius: float
    verdict: str
    seconds: float
    variables: int
    rows: int
    relus: int
    backend: str


@dataclass(frozen=True)
class Outcome:
    """The bracket a search ended with and the queries it asked; ``nodes``: sub-problems bounded,
    of a search without a tree its queries.

    ``note``: why an open bracket is open, for people; empty where it is closed. ``trees``: the
    records of the trees over phases, where they were asked for.
    """

    bracket: Bracket
    queries: tuple[QueryRecord, ...]
    nodes: int = 0
    note: str = ""
    trees: tuple[TreeRecord, ...] = ()


class Interrupted(KeyboardInterrupt):
    """A search was stopped by hand; ``outcome`` is what it found until then."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


Report = Callable[[Bracket, int], None]
"""Called with the bracket so far and the number of queries asked."""


class Search(Protocol):
    """A search strategy. Laws: the bracket returned is never wider than the one given; only
    verdicts move it; at the deadline the bracket so far is returned."""

    def __call__(
        self,
        question: Question,
        start: Bracket,
        backend: Backend,
        options: SearchOptions,
        report: Report,
    ) -> Outcome:
        """Tighten ``start``."""
        ...
