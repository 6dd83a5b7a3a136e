"""What an ``unsat`` of a solver supports: less than it says, and Marabou's less than others'.

Asked within d* (1 + 10^-k) on small networks whose optimum d* is known, Marabou answers a wrong
``unsat`` for some (benchmarks/suites/soundness.py); none of them reached 10^-3 beyond the optimum, and
none was an ``unsat`` of the HiGHS MILP too. So Marabou's word is taken with a second engine's, or
alone for a claim smaller by :data:`ALONE`. (DESIGN: section 5, rule 3.)
"""

from __future__ import annotations

from typing import assert_never

from marapatch.query.lowering import SHRINKAGE
from marapatch.query.query import Query
from marapatch.solvers.base import Backend, Candidate, Infeasible, Undecided
from marapatch.solvers.highs.backend import HighsBackend

ALONE = 1e-3
"""kappa for an ``unsat`` of Marabou that no second engine confirmed."""

UNTRUSTED = frozenset({"marabou"})
"""Backends by name whose ``unsat`` needs confirmation for a claim at :data:`SHRINKAGE`."""


def kappa(backend: Backend, *, confirm: bool) -> float:
    """By how much less, relatively, than the radius asked an ``unsat`` of ``backend`` counts at
    best; ``confirm``: whether a second engine is asked too."""
    return ALONE if backend.name in UNTRUSTED and not confirm else SHRINKAGE


def supported_radius(
    radius: float, backend: Backend, query: Query, seconds: float, *, confirm: bool
) -> float:
    """The radius that ``backend``'s ``unsat`` to ``query``, asked at ``radius``, supports.

    ``confirm``: ask the HiGHS MILP too, for at most ``seconds``. Where it finds the query
    satisfiable the two contradict each other and nothing is supported: 0.
    """
    if backend.name not in UNTRUSTED:
        return radius * (1.0 - SHRINKAGE)
    if confirm and seconds > 0.0:
        match HighsBackend().solve(query, seconds):
            case Infeasible():
                return radius * (1.0 - SHRINKAGE)
            case Candidate():
                return 0.0
            case Undecided():
                pass
            case unreachable:
                assert_never(unreachable)
    return radius * (1.0 - ALONE)
