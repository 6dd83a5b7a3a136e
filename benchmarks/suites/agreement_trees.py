"""Do the tree, a MILP and exact enumeration agree? Random small networks, both norms.

Each network is asked for the nearest input that meets its condition: by the tree, by one
mixed-integer program of the whole box that minimises the distance (HiGHS, zero gap), by the search
``descent`` with HiGHS as its only engine, and by enumeration of every phase pattern in rational
arithmetic. A contradiction is a bracket that does not hold the enumerated optimum, two brackets
without a common point, a witness where enumeration says that there is none, an optimum of the
program that is off by more than the tolerance, or an exception that says so.

  python -m benchmarks.suites.agreement_trees --networks 2000 --jobs 2
  python -m benchmarks.suites.agreement_trees --report       the table of what is known

A run that was stopped goes on where it ended. Exits with 1 where there is a contradiction.
"""

from __future__ import annotations

from functools import cache
from math import inf
from time import monotonic

from exact_optimum import Optimum, nearest
from small_networks import Case, small_case

from benchmarks.harness.command import Suite, exit_with, main_of, parser_of
from benchmarks.harness.faults import fault_of
from benchmarks.harness.processes import Numbered
from benchmarks.harness.rows import Row, finite
from benchmarks.peers.milp import minimise
from benchmarks.reports.agreement_trees import WAYS, report
from marapatch.errors import ContradictionError
from marapatch.problem.bracket import Bracket
from marapatch.problem.verdict import Evidence
from marapatch.search import SEARCHES
from marapatch.search.options import SearchOptions
from marapatch.solvers import HighsBackend, MarabouBackend
from marapatch.solvers.base import Backend

SECONDS = 3.0
"""For each search of each network."""

TOLERANCE = 1e-4

NETWORKS = 2_000

ENUMERATION = 60.0
"""Seconds that a network's row may take in all, before the harness begins to count its grace."""

DOUBT = 1e-6
"""What is taken off HiGHS's dual bound, relatively, as the program does of its ``unsat``."""

DISJOINT, CONTRADICTION = "brackets disjoint", "contradiction"
VALUE = "value"


@cache
def _backend(way: str) -> Backend:
    """One a process; it ends with it."""
    return HighsBackend() if way == "descent" else MarabouBackend()


def agreement(asked: Numbered) -> Row:
    """The row of one network: the optimum, both brackets, and what is wrong."""
    started = monotonic()
    case = small_case(asked.seed)
    optimum = nearest(case.network.standard_form, case.ball, case.condition, case.witnessed)
    enumerated = monotonic() - started
    row: Row = {
        "seed": asked.seed,
        "kind": case.kind,
        "norm": case.ball.norm.value,
        "neurons": sum(layer.outputs for layer in case.network.standard_form.hidden),
        "distance": None if optimum is None else float(optimum.distance),
        "exact": optimum is None or optimum.exact,
        "enumeration_seconds": enumerated,
    }
    brackets = {}
    wrong = []
    for way in WAYS:
        row[way], brackets[way], fault = asked_of(case, optimum, way)
        wrong += [f"{way}: {fault}"] if fault else []
    known = [bracket for bracket in brackets.values() if bracket is not None]
    if max((b.lower for b in known), default=0.0) > min((b.upper for b in known), default=inf):
        wrong.append(DISJOINT)
    row["wrong"] = wrong
    row["status"] = "closed" if all(row[way]["closed"] for way in WAYS) else "open"
    return row


def asked_of(case: Case, optimum: Optimum | None, way: str) -> tuple[Row, Bracket | None, str]:
    """What one way found, its bracket, and what is wrong with it."""
    started = monotonic()
    try:
        found = _program(case) if way == "milp" else _search(case, way)
    except ContradictionError as error:
        row: Row = {"closed": False, "message": str(error), "seconds": monotonic() - started}
        return row, None, CONTRADICTION
    bracket, about = found
    fault = fault_of(bracket, optimum)
    if not fault and optimum is not None and optimum.exact and about.get("value") is not None:
        off = abs(about["value"] - float(optimum.distance))
        fault = VALUE if about["closed"] and off > TOLERANCE else ""
    row = {
        "lower": finite(bracket.lower),
        "upper": finite(bracket.upper),
        "none": bracket.lower == inf,
        **about,
        "evidence": bracket.evidence.value,
        "seconds": monotonic() - started,
    }
    return row, bracket, fault


def _search(case: Case, way: str) -> tuple[Bracket, Row]:
    options = SearchOptions(tolerance=TOLERANCE, timeout=SECONDS)
    found = SEARCHES[way](
        case.question, Bracket(), _backend(way), options, lambda bracket, queries: None
    )
    about = {"closed": found.bracket.closed(TOLERANCE), "queries": len(found.queries)}
    return found.bracket, {**about, "nodes": found.nodes}


def _program(case: Case) -> tuple[Bracket, Row]:
    found = minimise(case.question, None, TOLERANCE, SECONDS, strict=True)
    lower = found.lower * (1.0 - DOUBT)
    about = {"closed": found.solved, "value": finite(found.value), "nodes": found.nodes}
    return Bracket(lower, Evidence.SOLVER, found.witness), about


SUITE = Suite(
    "agreement-trees",
    "tree, MILP and exact enumeration on random small networks",
    lambda: [Numbered(seed, ENUMERATION) for seed in range(NETWORKS)],
    agreement,
    report,
)


def main() -> int:
    """Run and report."""
    parser = parser_of(__doc__)
    parser.add_argument("--networks", type=int, default=NETWORKS, help="seeds 0 .. N-1")
    options = parser.parse_args()
    cases = [Numbered(seed, ENUMERATION) for seed in range(options.networks)]
    return main_of(SUITE, options, cases=cases, wrong=lambda row: row.get("wrong"))


if __name__ == "__main__":
    exit_with(main)
