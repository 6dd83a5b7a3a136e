"""The release test of soundness: does a solver's ``unsat`` ever refute an input that is there?

Small random networks whose optimum d* is known exactly (every phase pattern, then rational
arithmetic) are asked, as the program asks, whether an input meets the condition within
d* (1 + 10^-k): there always is one, and it is a thin cone near d*. Every ``unsat`` is wrong. What
counts is the claim: an ``unsat`` at radius r supports r (1 - kappa), which is wrong where it
exceeds d*. The same is asked within d* (1 - 10^-k), to see what a relaxation costs; and whole
searches are run, whose brackets must hold d*. (ARCHITECTURE: 5, rule 3.)

  python -m benchmarks.suites.soundness                  the release test: 10,000 networks
  python -m benchmarks.suites.soundness --networks 500
  python -m benchmarks.suites.soundness --every 5        whole searches on every fifth only
  python -m benchmarks.suites.soundness --report         the tables of what is known

A run that was stopped goes on where it ended. Exits with 1 where a bracket did not hold d*, or
where the program's own rho and kappa led to a wrong claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from time import monotonic

from exact_optimum import Optimum, nearest
from small_networks import Case, small_case

from benchmarks.harness.command import Suite, exit_with, main_of, parser_of
from benchmarks.harness.faults import fault_of
from benchmarks.harness.processes import Numbered
from benchmarks.harness.rows import Row, Rows, finite
from benchmarks.reports.soundness import (
    BEFORE,
    BEYOND,
    OPEN,
    RELAXATIONS,
    SAT,
    UNSAT,
    is_passed,
    report,
)
from marapatch.bounds.crown import bound_condition, linear_bounds
from marapatch.errors import ContradictionError
from marapatch.problem.bracket import Bracket
from marapatch.query.lowering import lower
from marapatch.search import SEARCHES
from marapatch.search.options import SearchOptions
from marapatch.solvers import HighsBackend, MarabouBackend
from marapatch.solvers.base import Answer, Backend, Candidate, Infeasible, Undecided

QUERY_SECONDS = 1.0
SEARCH_SECONDS = 5.0
TOLERANCE = 1e-4

NETWORKS = 10_000
LIMIT = 120.0
"""Seconds for everything that is asked of one network."""


@cache
def solvers() -> dict[str, Backend]:
    """The engines under test, each asked one query at a time; they end with the process."""
    return {"marabou": MarabouBackend(), "highs": HighsBackend()}


@dataclass(frozen=True)
class Searched(Numbered):
    """A question, and the whole ``searches`` that are run on it."""

    searches: tuple[str, ...] = ()


def letter(answer: Answer) -> str:
    """One letter for what a backend answered."""
    match answer:
        case Infeasible():
            return UNSAT
        case Candidate():
            return SAT
        case Undecided():
            return OPEN


def examine(asked_of: Searched) -> Row:
    """One row: what every solver and search says about the question."""
    started = monotonic()
    case = small_case(asked_of.seed)
    optimum = nearest(case.network.standard_form, case.ball, case.condition, case.witnessed)
    sizes = [case.network.inputs, *(h.outputs for h in case.network.standard_form.hidden)]
    row: Row = {
        "status": "done",
        "kind": case.kind,
        "norm": case.ball.norm.value,
        "sizes": [*sizes, case.network.outputs],
        "distance": None if optimum is None else float(optimum.distance),
        "exact": optimum is not None and optimum.exact,
    }
    if optimum is not None and optimum.exact and optimum.distance > 0:
        row["beyond"] = asked(case, optimum, BEYOND, 1)
        row["before"] = asked(case, optimum, BEFORE, -1)
    row["searches"] = {name: searched(case, optimum, name) for name in asked_of.searches}
    row["seconds"] = monotonic() - started
    return row


def asked(case: Case, optimum: Optimum, ks: Sequence[int], sign: int) -> dict[str, object]:
    """Answers by solver and relaxation, one letter a k; ``bounds``: what bounds alone refute."""
    form, condition = case.network.standard_form, case.condition
    answers: dict[str, dict[str, str]] = {name: {} for name in solvers()}
    refuted = ""
    for k in ks:
        radius = float(optimum.distance * (1 + sign * Fraction(1, 10**k)))
        ball = case.ball.with_radius(radius)
        bounds = linear_bounds(form, ball)
        refuted += UNSAT if bound_condition(form, bounds, condition).worst < 0.0 else OPEN
        for rho in RELAXATIONS:
            query = lower(form, bounds, ball, condition, relaxation=rho).query
            for name, backend in solvers().items():
                found = letter(backend.solve(query, QUERY_SECONDS))
                answers[name][f"{rho:g}"] = answers[name].get(f"{rho:g}", "") + found
    return {**answers, "bounds": refuted}


def searched(case: Case, optimum: Optimum | None, name: str) -> Row:
    """The bracket of a whole search with Marabou, and whether it holds the optimum."""
    started = monotonic()
    options = SearchOptions(tolerance=TOLERANCE, timeout=SEARCH_SECONDS)
    try:
        found = SEARCHES[name](
            case.question, Bracket(), solvers()["marabou"], options, lambda bracket, queries: None
        )
    except ContradictionError as error:
        return {"wrong": "contradiction", "message": str(error)}
    bracket = found.bracket
    return {
        "lower": finite(bracket.lower),
        "upper": finite(bracket.upper),
        "none": bracket.lower == float("inf"),
        "closed": bracket.closed(TOLERANCE),
        "evidence": bracket.evidence.value,
        "queries": len(found.queries),
        "wrong": fault_of(bracket, optimum),
        "seconds": monotonic() - started,
    }


SUITE = Suite(
    "soundness",
    "wrong unsat of Marabou and HiGHS near a known optimum, and what is claimed of them",
    lambda: numbered(NETWORKS, ("tree", "descent"), 1),
    examine,
    report,
    open_ended=True,
)


def numbered(networks: int, searches: Sequence[str], every: int) -> list[Searched]:
    """The networks, with whole searches on every so many."""
    return [
        Searched(seed, LIMIT, tuple(searches) if seed % every == 0 else ())
        for seed in range(networks)
    ]


def main() -> int:
    """Run and report."""
    parser = parser_of(__doc__)
    add = parser.add_argument
    add("--networks", type=int, default=NETWORKS, help="seeds 0 .. N-1")
    add("--searches", nargs="*", default=["tree", "descent"], help="run on each")
    add("--every", type=int, default=1, help="search on every n-th network only")
    options = parser.parse_args()
    cases = numbered(options.networks, options.searches, options.every)
    main_of(SUITE, options, cases=cases)
    return 0 if is_passed(Rows(SUITE.name, options.results).all()) else 1


if __name__ == "__main__":
    exit_with(main)
