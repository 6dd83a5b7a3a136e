"""What an ``unsat`` of a solver supports: less than it says, and an untrusted one's less still.

Asked within d* (1 + 10^-k) on small networks whose optimum d* is known, Marabou answers a wrong
``unsat`` for some (benchmarks/suites/soundness.py); none of them reached 10^-3 beyond the optimum,
and none was an ``unsat`` of the HiGHS MILP too. So its word is taken with a second engine's, or
alone for a claim smaller by its own :attr:`~marapatch.solvers.base.Backend.claim_shrinkage`. Each
engine says itself how far it is trusted; one that does not say is not. (ARCHITECTURE: 5, rule 3.)
"""

from __future__ import annotations

from typing import assert_never

from marapatch.query.lowering import SHRINKAGE
from marapatch.query.query import Query
from marapatch.solvers.base import Backend, Candidate, Infeasible, Undecided
from marapatch.solvers.highs.backend import HighsBackend


def kappa(backend: Backend, *, confirm: bool) -> float:
    """By how much less, relatively, than the radius asked an ``unsat`` of ``backend`` counts at
    best; ``confirm``: whether a second engine is asked too."""
    return SHRINKAGE if backend.needs_confirmation and confirm else backend.claim_shrinkage


def supported_radius(
    radius: float, backend: Backend, query: Query, seconds: float, *, confirm: bool
) -> float:
    """The radius that ``backend``'s ``unsat`` to ``query``, asked at ``radius``, supports.

    ``confirm``: ask the HiGHS MILP too, for at most ``seconds``. Where it finds the query
    satisfiable the two contradict each other and nothing is supported: 0.
    """
    alone = radius * (1.0 - backend.claim_shrinkage)
    if backend.needs_confirmation and confirm and seconds > 0.0:
        match HighsBackend().solve(query, seconds):
            case Infeasible():
                return radius * (1.0 - SHRINKAGE)
            case Candidate():
                return 0.0
            case Undecided():
                pass
            case unreachable:
                assert_never(unreachable)
    return alone
