"""Ask just below the witness first: a polished witness is usually within the tolerance."""

from __future__ import annotations

from math import inf
from time import monotonic

from marapatch.problem.bracket import Bracket
from marapatch.problem.question import Question
from marapatch.problem.verdict import Sat, Unknown, Unsat
from marapatch.query.lowering import SHRINKAGE
from marapatch.search.bisection import FINER, bisection
from marapatch.search.options import Outcome, Report, SearchOptions
from marapatch.search.radius_query import QuerySession
from marapatch.solvers.base import Backend

PATIENCE_SHARE = 0.5
"""The share of the remaining time that one query just below the witness may take."""


STALLED = 2e-6
"""A witness nearer by no more than this, relatively, is no progress: polish is not exact."""


def descent(
    question: Question,
    start: Bracket,
    backend: Backend,
    options: SearchOptions,
    report: Report,
) -> Outcome:
    """Ask ``upper - tolerance``; polish every witness; where undecided, raise ``lower`` from below.

    Without a witness it is the bisection.
    """
    deadline = monotonic() + options.timeout
    confirm = options.confirm is not False
    session = QuerySession(question, start, backend, options, report, deadline, confirm)
    if options.ceiling(start) == inf:
        return bisection(question, start, backend, options, report)
    while not session.done:
        before, radius = session.bracket.upper, _just_below(session)
        verdict = session.ask(radius, _seconds(session))
        match verdict:
            case Sat():
                nearer = min(before, options.cutoff) - session.bracket.upper
                # An input within the radius was asked for: one nearer to the old witness than to
                # that radius is all that the solver's answers are good for here.
                stalled = session.bracket.upper > 0.5 * (min(before, options.cutoff) + radius)
                if stalled or nearer <= STALLED * session.bracket.upper:
                    return _raise_lower(session, "what the solver finds is no nearer")
            case Unsat():
                return session.outcome(FINER)
            case Unknown(reason=reason):
                return _raise_lower(session, reason)
    return session.outcome("out of time")


def _just_below(session: QuerySession) -> float:
    """The largest radius whose refutation closes the bracket, kappa included."""
    upper = session.options.ceiling(session.bracket)
    # An unsat supports less than the radius asked by kappa, which is put on top; with the whole
    # tolerance below the witness rounding might leave the bracket open.
    wanted = (upper - 0.98 * session.options.tolerance) / (1.0 - SHRINKAGE)
    # Below the witness, at which a refutation would contradict it, however small the tolerance; and
    # in the upper half of the bracket, however large.
    return max(min(wanted, upper * (1.0 - 1e-9)), 0.5 * (session.bracket.lower + upper))


def _raise_lower(session: QuerySession, reason: str) -> Outcome:
    """Halve between ``lower`` and the least undecided radius while that is worth a query."""
    ceiling = session.options.ceiling(session.bracket)
    while not session.done:
        lower = session.bracket.lower
        ceiling = min(ceiling, session.bracket.upper)
        if ceiling - lower <= max(session.options.tolerance, 0.02 * ceiling):
            break
        middle = 0.5 * (lower + ceiling)
        if not lower < middle < ceiling:
            break
        if not isinstance(session.ask(middle, _seconds(session)), Unsat):
            # Undecided or met, neither moves the lower end: below it there may be more to prove.
            ceiling = middle
        elif session.bracket.lower <= lower:
            break
    return session.outcome(f"undecided just below the witness: {reason}")


def _seconds(session: QuerySession) -> float:
    limit = session.options.query_timeout
    # Never less than a second while there is one: ever smaller shares would decide nothing.
    share = max(PATIENCE_SHARE * session.remaining, min(1.0, session.remaining))
    return share if limit is None else min(limit, session.remaining)
