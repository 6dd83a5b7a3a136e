"""Do Marabou, HiGHS and z3 agree? Random small problems over every kind of constraint.

``python benchmarks/agreement.py --count 1000`` adds one JSON line a problem to
benchmarks/results/agreement.jsonl, leaving out what is there, and prints a table. Each problem is
asked four ways: the frozen query by Marabou as it is (``plain``), the same by HiGHS (``highs``) and
by z3 in exact rational arithmetic (``z3``), and by ``Problem.solve`` (``shielded``: scaled,
relaxed, confirmed, replayed). A wrong answer of Marabou alone is counted and listed; what counts as
a disagreement is a wrong answer of what users see.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

import z3

from marapatch.backends import Backend, Candidate, HighsBackend, Infeasible, MarabouBackend
from marapatch.errors import InputError
from marapatch.formats import smtlib
from marapatch.modelling import NoSolution, Solution
from marapatch.query import Query

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from random_problems import random_problem  # shared with the tests

RESULTS = Path(__file__).with_name("results") / "agreement.jsonl"
SECONDS = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    count = parser.parse_args().count
    known = (
        [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    )
    done = {record["seed"] for record in known}
    with MarabouBackend() as marabou, RESULTS.open("a") as out:
        for seed in range(count):
            if seed not in done:
                record = measure(seed, marabou)
                out.write(json.dumps(record) + "\n")
                out.flush()
                known.append(record)
    table(known)


def measure(seed: int, marabou: MarabouBackend) -> dict[str, object]:
    """What everybody says of one problem."""
    problem, kinds = random_problem(seed)
    started = time.monotonic()
    answer = problem.solve(marabou, timeout=SECONDS)
    shielded = said(answer)
    record: dict[str, object] = {"seed": seed, "kinds": kinds, "shielded": shielded}
    record["seconds"] = round(time.monotonic() - started, 3)
    if isinstance(answer, Solution | NoSolution):
        record["notes"] = answer.notes
    try:
        query = problem.query
    except InputError:  # interval propagation proves that there is no solution
        return record | {"plain": "unsat", "highs": "unsat", "z3": "none"}
    return record | {
        "plain": ask(marabou, query),
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
    solver = z3.Solver()
    solver.set("timeout", int(1000 * seconds))
    solver.from_string(smtlib(query))
    return str(solver.check())


def table(records: list[dict[str, object]]) -> None:
    """Counts of every engine against z3, and the list of wrong answers."""
    print(f"{len(records)} problems")
    for engine in ("plain", "highs", "shielded"):
        outcome = Counter(judge(str(r[engine]), r) for r in records)
        print(f"{engine:9} " + ", ".join(f"{k} {v}" for k, v in sorted(outcome.items())))
        for r in records:
            if judge(str(r[engine]), r) == "wrong":
                print(f"  seed {r['seed']} {r['kinds']}: {r[engine]}, z3 {r['z3']}")


def judge(word: str, record: dict[str, object]) -> str:
    """``right``, ``wrong`` or ``open``, by z3 where it answered."""
    truth = str(record["z3"])
    if "unknown" in (word, truth) or truth == "none":
        return "open" if truth != "none" else "right"
    return "right" if word == truth else "wrong"


if __name__ == "__main__":
    main()
