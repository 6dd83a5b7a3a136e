"""Questions about a model put to backends: scaled, relaxed, confirmed, repaired and replayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from time import monotonic

import numpy as np

from marapatch.errors import ContradictionError
from marapatch.modelling.answers import Answer, Minimum, NoSolution, Solution
from marapatch.modelling.expressions import Comparison, Expression
from marapatch.modelling.freezing import Frozen, freeze
from marapatch.modelling.model import Model
from marapatch.modelling.relaxing import relaxed
from marapatch.modelling.replaying import replay
from marapatch.problem.verdict import Evidence, Unknown
from marapatch.query.intervals import activity, propagate
from marapatch.query.query import Assignment, Query
from marapatch.query.scaling import RELAXATION, Scaled, normalise
from marapatch.solvers.base import Backend, Candidate, Infeasible, Undecided
from marapatch.solvers.enumeration import phases
from marapatch.solvers.highs.backend import HighsBackend
from marapatch_encodings.semantics import violation
from marapatch_encodings.terms import Row, dense_row

FIRST_SHARE = 0.6
"""The share of the time that the first backend has where another is to confirm."""

REPAIR_SECONDS = 10.0

STEP_SHARE = 0.4
"""The share of the remaining time that one step of a search may take."""

KEPT = 0.05
"""kappa: a refuted ``value <= t`` supports only the claim that no value is below
``t - kappa * tolerance``."""

INTERVALS = "interval propagation"


@dataclass(frozen=True)
class QueryPolicy:
    """How a question is asked: by ``backend``; an ``unsat`` is confirmed by ``confirm``, where
    that is another one; solutions may miss conditions by ``tolerance``."""

    backend: Backend
    confirm: Backend | None
    tolerance: float


def decide(
    model: Model, asking: QueryPolicy, timeout: float, goal: Expression | None = None
) -> Answer:
    """Has ``model`` a solution? With a ``goal``, solutions are improved towards a small value.

    The first backend gets the query relaxed, so that its ``unsat`` is about a larger set, and the
    confirming one gets it exact.
    """
    deadline = monotonic() + timeout
    frozen = freeze(model, goal)
    if frozen is None:
        return NoSolution((INTERVALS,), Evidence.BOUND)
    exact = normalise(frozen.query)
    session = _QuerySession(model, frozen, exact, asking, deadline, goal)
    others = asking.confirm is not None and asking.confirm.name != asking.backend.name
    relaxed = normalise(frozen.query, RELAXATION) if others else exact
    answer = session.ask(asking.backend, relaxed, FIRST_SHARE if others else 1.0)
    if isinstance(answer, Solution) or not others or asking.confirm is None:
        return answer
    second = session.ask(asking.confirm, exact, 1.0)
    match answer, second:
        case _, Solution():
            if isinstance(answer, NoSolution):
                note = f"{asking.backend.name} said unsat, wrongly: this solution was replayed"
                return replace(second, notes=(*second.notes, note))
            return second
        case NoSolution(), NoSolution():
            return NoSolution((*answer.certified_by, *second.certified_by))
        case NoSolution(), Unknown(reason=reason):
            if session.unreplayed:
                return Unknown(f"{asking.backend.name} said unsat, but {reason}")
            return replace(answer, notes=(f"not confirmed: {reason}",))
        case _:
            return second


class _QuerySession:
    def __init__(
        self,
        model: Model,
        frozen: Frozen,
        exact: Scaled,
        asking: QueryPolicy,
        deadline: float,
        goal: Expression | None,
    ) -> None:
        self.model, self.frozen, self.exact, self.asking = model, frozen, exact, asking
        self.deadline, self.goal = deadline, goal
        self.unreplayed = False

    def ask(self, backend: Backend, scaled: Scaled, share: float) -> Answer:
        """One backend's answer, its solution repaired and replayed."""
        left = self.deadline - monotonic()
        if left <= 0.0:
            return Unknown(f"timeout: before {backend.name} was asked")
        match backend.solve(scaled.query, max(share * left, 1e-3)):
            case Infeasible():
                return NoSolution((backend.name,))
            case Undecided(reason=reason):
                return Unknown(reason)
            case Candidate(assignment=assignment):
                solution = self._settle(assignment)
                if solution is not None:
                    return solution
                self.unreplayed = True
                return Unknown(f"{backend.name} gave a solution that did not replay")

    def _settle(self, assignment: Assignment) -> Solution | None:
        """A replayed solution near ``assignment``: by an LP with its phases, or as it is."""
        repaired = self._repair(assignment)
        for candidate in (repaired, assignment):
            if candidate is not None:
                values = self.frozen.values(self.exact.back(candidate))
                solution = replay(self.model, self.frozen.declared, values, self.asking.tolerance)
                if solution is not None:
                    return solution
        return None

    def _repair(self, assignment: Assignment) -> Assignment | None:
        """The assignment of least goal with the phases of ``assignment``, by linear programming."""
        query = self.exact.query
        fixed = Query(query.names, query.lower, query.upper, tuple(_rows(query, assignment)))
        costs = self.frozen.objective[0] * self.exact.scale
        size = float(np.abs(costs).max(initial=0.0))
        costs = costs / size if size > 0.0 else costs
        seconds = max(min(REPAIR_SECONDS, self.deadline - monotonic()), 0.5)
        return HighsBackend().minimise(fixed, costs, seconds).assignment


def _rows(query: Query, assignment: Assignment) -> Sequence[Row]:
    """The rows of ``query``, and of the case of each constraint nearest to ``assignment``."""
    rows = list(query.rows)
    for constraint in query.piecewise:
        cases = phases(constraint)
        misses = [max((violation(r, assignment) for r in case), default=0.0) for case in cases]
        rows += cases[int(np.argmin(misses))]
    return rows


def minimise(
    model: Model, goal: Expression, asking: QueryPolicy, tolerance: float, timeout: float
) -> Minimum:
    """The minimum of ``goal`` (one entry) within ``tolerance``, by a sound search.

    Each step asks ``goal <= t``, first just below the best solution, then at the middle. A refuted
    ``t`` raises ``lower`` to ``t`` less a share :data:`KEPT` of the tolerance; a solution lowers
    ``upper``; an undecided step ends the search unless a lower ``t`` can still be asked.
    """
    deadline = monotonic() + timeout
    first = decide(model, asking, timeout, goal)
    match first:
        case NoSolution(certified_by=certified_by, evidence=evidence):
            return Minimum(inf, inf, None, certified_by, evidence)
        case Unknown(reason=reason):
            return Minimum(-inf, inf, None, (), Evidence.BOUND, reason)
    state = _Descent(model, goal, first, tolerance)
    ceiling, note = inf, ""
    while state.upper - state.lower > tolerance:
        left = deadline - monotonic()
        if left <= 0.0:
            note = note or "out of time"
            break
        t = state.next(ceiling)
        if t is None:
            break
        seconds = max(STEP_SHARE * left, min(left, 2.0))
        answer = decide(state.asked(t), asking, seconds, goal)
        match answer:
            case Solution():
                if not state.improve(answer):
                    ceiling, note = t, "a solution found again was no better"
            case NoSolution():
                state.refute(t, answer)
            case Unknown(reason=reason):
                ceiling, note = t, reason
    closed = state.upper - state.lower <= tolerance
    return Minimum(
        state.lower,
        state.upper,
        state.best,
        state.certified_by,
        state.evidence,
        "" if closed else note or "the solver's tolerance is reached",
    )


def least_value(model: Model, goal: Expression) -> float:
    """A lower bound on ``goal`` (one entry) by interval propagation, rounded outward."""
    frozen = freeze(model, goal)
    if frozen is None:
        return inf
    bounds = propagate(frozen.query)
    if bounds is None:
        return inf
    costs, constant = frozen.objective
    used = np.flatnonzero(costs)
    if not used.size:
        return constant
    least, _ = activity(dense_row(used, costs[used], "<=", 0.0), *bounds)
    return least + constant if constant == 0.0 else float(np.nextafter(least + constant, -inf))


class _Descent:
    """The bracket of a search for a minimum."""

    def __init__(self, model: Model, goal: Expression, first: Solution, tolerance: float) -> None:
        self.model, self.goal, self.best = model, goal, first
        self.tolerance = tolerance
        self.upper = self._value(first)
        # A solution may miss conditions by its tolerance, and have a smaller value than any that
        # misses none: what no solution is below is proved of all of them.
        self.lower = least_value(relaxed(model, first.tolerance), goal)
        self.certified_by: tuple[str, ...] = (INTERVALS,)
        self.evidence = Evidence.BOUND
        self._check()

    def _value(self, solution: Solution) -> float:
        row = self.goal.rows(solution.columns.size)
        return float((row @ solution.columns)[0] + self.goal.constant[0])

    def asked(self, t: float) -> Model:
        """The model with ``goal <= t``."""
        wanted = Comparison(self.goal - t, "<=")
        return replace(self.model, conditions=(*self.model.conditions, wanted))

    def next(self, ceiling: float) -> float | None:
        """What to ask next; None where nothing more is worth it."""
        just_below = self.upper - (1.0 - 2.0 * KEPT) * self.tolerance
        if just_below < ceiling:
            return just_below
        middle = 0.5 * (self.lower + ceiling)
        return middle if ceiling - self.lower > self.tolerance else None

    def improve(self, solution: Solution) -> bool:
        """Take a solution in; whether it is better."""
        value = self._value(solution)
        if not value < self.upper:
            return False
        self.best, self.upper = solution, value
        self._check()
        return True

    def refute(self, t: float, answer: NoSolution) -> None:
        """Take in that no solution has a value of at most ``t``."""
        claimed = t - KEPT * self.tolerance
        if claimed > self.lower:
            self.lower, self.certified_by = claimed, answer.certified_by
            self.evidence = answer.evidence
        self._check()

    def _check(self) -> None:
        if self.lower > self.upper:
            raise ContradictionError(
                f"{' and '.join(self.certified_by)} said that no value is below {self.lower!r}, "
                f"and a replayed solution has {self.upper!r}: please report this with the script"
            )
