"""Do Marabou, HiGHS and z3 agree? Random small problems over every kind of constraint.

  python -m benchmarks.suites.agreement             asks what is missing of a thousand
  python -m benchmarks.suites.agreement --report    the tables of what is known

Each problem is asked five ways: the frozen query by Marabou exactly as it stands (``bare``: its own
constraints and defaults), by our backend for Marabou (``plain``: rewritten, doubted), by HiGHS
(``highs``), by z3 in exact rational arithmetic (``z3``), and the problem by ``Problem.solve``
(``shielded``: scaled, relaxed, confirmed, replayed). A wrong answer of Marabou is counted and
listed; what counts as a disagreement is a wrong answer of what users see.
"""

from __future__ import annotations

import time
from functools import cache

from random_problems import random_problem

from benchmarks.harness.command import Suite, exit_with, main_of, parser_of
from benchmarks.harness.processes import Numbered
from benchmarks.harness.rows import Row
from benchmarks.peers.bare_marabou import BareMarabou
from benchmarks.reports.agreement import report
from marapatch.errors import InputError
from marapatch.formats import smtlib
from marapatch.modelling import NoSolution, Solution
from marapatch.query.query import Query
from marapatch.solvers import Backend, Candidate, HighsBackend, Infeasible, MarabouBackend

PROBLEMS = 1000
SECONDS = 10.0
"""For each engine."""

LIMIT = 60.0
"""For all of them."""


@cache
def _marabou() -> MarabouBackend:
    """One a process; it ends with it."""
    return MarabouBackend()


def work(case: Numbered) -> Row:
    """What everybody says of one problem."""
    return {"status": "done", **measure(case.seed), **ask_bare(case.seed)}


def ask_bare(seed: int) -> Row:
    """What Marabou as it is says of one problem's frozen query."""
    try:
        query = random_problem(seed)[0].query
    except InputError:
        return {"bare": "none"}
    with BareMarabou() as bare:
        status, missed = bare.ask(query, SECONDS)
    return {"bare": status, "bare_missed": missed}


def measure(seed: int) -> Row:
    """What everybody but Marabou as it is says of one problem."""
    problem, kinds = random_problem(seed)
    started = time.monotonic()
    answer = problem.solve(_marabou(), timeout=SECONDS)
    shielded = said(answer)
    record: Row = {"seed": seed, "kinds": kinds, "shielded": shielded}
    record["seconds"] = round(time.monotonic() - started, 3)
    if isinstance(answer, Solution | NoSolution):
        record["notes"] = answer.notes
    try:
        query = problem.query
    except InputError:  # interval propagation proves that there is no solution
        return record | {"plain": "unsat", "highs": "unsat", "z3": "none"}
    return record | {
        "plain": ask(_marabou(), query),
        "highs": ask(HighsBackend(), query),
        "z3": z3_verdict(query, SECONDS),
    }


def said(answer: object) -> str:
    """sat, unsat or unknown."""
    return (
        "sat"
        if isinstance(answer, Solution | Candidate)
        else "unsat"
        if isinstance(answer, NoSolution | Infeasible)
        else "unknown"
    )


def ask(backend: Backend, query: Query) -> str:
    """A backend's word on a query."""
    return said(backend.solve(query, SECONDS))


def z3_verdict(query: Query, seconds: float) -> str:
    """z3's word on the SMT-LIB text of a query."""
    import z3  # noqa: PLC0415  # an extra, of the tests

    solver = z3.Solver()
    solver.set("timeout", int(1000 * seconds))
    solver.from_string(smtlib(query))
    return str(solver.check())


SUITE = Suite(
    "agreement",
    "random small problems put to Marabou, HiGHS, z3 and Problem.solve",
    lambda: [Numbered(seed, LIMIT) for seed in range(PROBLEMS)],
    work,
    report,
)


def main() -> int:
    """Ask what was not asked yet, and print the tables."""
    parser = parser_of(__doc__)
    parser.add_argument("--count", type=int, default=PROBLEMS, help="ask the problems 0 to this")
    options = parser.parse_args()
    return main_of(SUITE, options, cases=[Numbered(seed, LIMIT) for seed in range(options.count)])


if __name__ == "__main__":
    exit_with(main)
