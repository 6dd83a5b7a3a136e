"""Algorithm 1 of "Ground-Truth Adversarial Examples" (Carlini et al., section 4): binary search."""

from __future__ import annotations

from time import monotonic

from marapatch.problem.bracket import Bracket
from marapatch.problem.question import Question
from marapatch.problem.verdict import Unknown, Unsat
from marapatch.search.options import Outcome, Report, SearchOptions
from marapatch.search.radius_query import QuerySession
from marapatch.solvers.base import Backend
from marapatch.solvers.trust import kappa

LEFT = 1.5
"""The search ends when what is left is so many times what the backend's answers support."""

FINER = "the tolerance is finer than what the solver's answers support"


def bisection(
    question: Question,
    start: Bracket,
    backend: Backend,
    options: SearchOptions,
    report: Report,
) -> Outcome:
    """Halve the bracket by one query a step until it is closed.

    The backend is asked alone unless the options say ``confirm``, and what it claims is the less
    for that (:mod:`marapatch.solvers.trust`): the search ends where no answer could bring the lower
    end any further. Where a query is undecided (the published algorithm stops
    there), ``lower`` is raised from below it: the next radius asked lies half way between
    ``lower`` and the undecided one, and the search ends when that is within the tolerance.
    Without a witness to start from, the ball's own radius is asked first.
    """
    deadline = monotonic() + options.timeout
    session = QuerySession(
        question, start, backend, options, report, deadline, bool(options.confirm)
    )
    less = kappa(backend, confirm=session.confirm)
    ceiling = min(options.ceiling(start), question.ball.radius)
    if start.witness is None:
        if isinstance(session.ask(ceiling, _seconds(session), polished=False), Unknown):
            return session.outcome("the first query, over the whole box, was undecided")
        ceiling = min(session.bracket.upper, ceiling)
        # An unsat that no second engine confirms supports the radius less a thousandth: without a
        # witness nothing is left to halve.
        if session.bracket.lower >= ceiling * (1.0 - 1e-3) and session.bracket.witness is None:
            return session.outcome("nothing found within the largest radius asked")
    undecided = 0
    while not session.done:
        lower = session.bracket.lower
        ceiling = min(ceiling, session.bracket.upper)
        if ceiling - lower <= options.tolerance / 2:
            break
        middle = 0.5 * (lower + ceiling)
        if not lower < middle < ceiling:
            break
        # An unsat at the middle brings the lower end to middle * (1 - kappa): halving goes on for
        # ever towards a gap of about 2 kappa, and most of it is gone at LEFT times that.
        little = ceiling - lower <= LEFT * 2.0 * less * ceiling
        if little and not session.refuted_by_bounds(middle):
            break
        verdict = session.ask(middle, _seconds(session), polished=False)
        if not isinstance(verdict, Unsat):
            ceiling = middle  # a witness may lie a little beyond it: queries over-approximate
        elif session.bracket.lower <= lower:
            break  # what kappa takes off is as much as there was to gain
        undecided += isinstance(verdict, Unknown)
    return session.outcome(_reason(session, undecided))


def _reason(session: QuerySession, undecided: int) -> str:
    if undecided:
        return f"undecided queries: {undecided}"
    if session.remaining <= 0.0:
        return "out of time"
    if session.confirm or not session.backend.needs_confirmation:
        return FINER
    return (
        f"what is left is below what an unsat of {session.backend.name} alone supports, which is "
        f"{100.0 * session.backend.claim_shrinkage:g} % of the radius; --confirm has a second "
        "engine asked too"
    )


def _seconds(session: QuerySession) -> float:
    limit = session.options.query_timeout
    return session.remaining if limit is None else min(limit, session.remaining)
