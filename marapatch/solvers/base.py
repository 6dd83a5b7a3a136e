"""The seam between a query and whatever answers it."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from types import TracebackType
from typing import Protocol, Self

from marapatch.query.lowering import SHRINKAGE
from marapatch.query.query import Assignment, Query


@dataclass(frozen=True, eq=False)
class Candidate:
    """The solver says ``sat`` with this assignment; nothing is believed until it is replayed."""

    assignment: Assignment


@dataclass(frozen=True)
class Infeasible:
    """The solver said ``unsat``, explicitly."""


@dataclass(frozen=True)
class Undecided:
    """Anything else: timeout, error, out of memory, dead process. ``reason`` is for people."""

    reason: str


Answer = Candidate | Infeasible | Undecided

UNCONFIRMED_SHRINKAGE = 1e-3
"""kappa for an ``unsat`` of an engine that is not trusted and that no second engine confirmed."""


class Backend(Protocol):
    """Answers queries. Implementations are stateless from outside: no answer depends on another.

    Laws, tested for every backend: an answer comes at most a few seconds after ``timeout``
    seconds; only an explicit ``unsat`` of the engine gives :class:`Infeasible`; a failure of the
    engine gives :class:`Undecided`; :class:`~marapatch.errors.BackendError` is raised only where
    the engine cannot be started at all or does not support a kind of constraint.

    An engine that says nothing about it is not trusted: see :mod:`marapatch.solvers.trust`.
    """

    @property
    def name(self) -> str:
        """The name under which people choose it, e.g. ``marabou``."""
        ...

    @property
    def needs_confirmation(self) -> bool:
        """Whether an ``unsat`` needs a second engine's to count for all that can be claimed."""
        return True

    @property
    def claim_shrinkage(self) -> float:
        """kappa: how much less, relatively, than the radius asked an ``unsat`` alone supports."""
        return UNCONFIRMED_SHRINKAGE

    def solve(self, query: Query, timeout: float) -> Answer:
        """Answer ``query`` within ``timeout`` seconds (a positive, finite number)."""
        ...

    def close(self) -> None:
        """Release processes and memory; a later ``solve`` starts them again."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class ExactBackend(Backend, Protocol):
    """An engine of this process that was never found to answer wrongly by more than its
    tolerance, and keeps nothing between queries."""

    @property
    def needs_confirmation(self) -> bool:
        """No."""
        return False

    @property
    def claim_shrinkage(self) -> float:
        """What covers its tolerance."""
        return SHRINKAGE

    def close(self) -> None:
        """Nothing is kept."""
        return


@dataclass(frozen=True, eq=False)
class Optimum:
    """What is known about ``min objective @ x`` over the assignments of a query.

    ``bound``: the engine's dual bound: no assignment has a smaller objective (-inf where nothing
    is known, +inf where the query is infeasible). ``assignment``: the best one found, if any.
    ``reason``: empty where the two meet or the query is infeasible; else why the search stopped.
    """

    bound: float
    assignment: Assignment | None
    reason: str = ""

    @property
    def infeasible(self) -> bool:
        """Whether the engine said that the query has no assignment at all."""
        return self.bound == inf and not self.reason
