"""Do Marabou, HiGHS and z3 agree? Random small problems over every kind of constraint.

``python benchmarks/agreement.py --count 1000`` adds one JSON line a problem to
benchmarks/results/agreement.jsonl, leaving out what is there; ``--report --write
benchmarks/PERFORMANCE.md`` writes the tables. Each problem is asked five ways: the frozen query by
Marabou exactly as it stands (``bare``: its own constraints and defaults), by our backend for
Marabou (``plain``: rewritten, doubted), by HiGHS (``highs``), by z3 in exact rational arithmetic
(``z3``), and the problem by ``Problem.solve`` (``shielded``: scaled, relaxed, confirmed, replayed).
A wrong answer of Marabou is counted and listed; what counts as a disagreement is a wrong answer of
what users see.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import z3
from _bare_marabou import BareMarabou
from _ground_truth_report import write
from _harness import table

from marapatch.errors import InputError
from marapatch.formats import smtlib
from marapatch.modelling import NoSolution, Solution
from marapatch.query.query import Query
from marapatch.solvers import Backend, Candidate, HighsBackend, Infeasible, MarabouBackend

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from random_problems import KINDS, random_problem  # shared with the tests

RESULTS = Path(__file__).with_name("results") / "agreement.jsonl"
SECONDS = 10.0

MISSED = 1e-3
"""An assignment of Marabou's that misses a constraint by more is counted as wrong."""

ENGINES = {
    "bare": "Marabou as it is",
    "plain": "our backend for Marabou",
    "highs": "HiGHS",
    "shielded": "`Problem.solve`",
}

Record = Mapping[str, object]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--count", type=int, default=1000, help="ask the problems 0 to this")
    add("--report", action="store_true", help="print the tables; runs nothing")
    add("--write", type=Path, help="with --report: put the tables between their marks in a file")
    options = parser.parse_args()
    if not options.report:
        run(options.count)
    elif options.write is None:
        print(report(records()))
    else:
        write(options.write, {"agreement": report(records())})


def records() -> list[Record]:
    """What was measured so far; of a problem the last line counts."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    found = {record["seed"]: record for record in map(json.loads, lines)}
    return [found[seed] for seed in sorted(found)]


def run(count: int) -> None:
    """Ask what was not asked yet."""
    known = {record["seed"]: record for record in records()}
    with MarabouBackend() as marabou, BareMarabou() as bare, RESULTS.open("a") as out:
        for seed in range(count):
            if "bare" in known.get(seed, {}):
                continue
            record = {**known.get(seed, {})} or measure(seed, marabou)
            record |= ask_bare(seed, bare)
            out.write(json.dumps(record) + "\n")
            out.flush()
    print(report(records()))


def ask_bare(seed: int, bare: BareMarabou) -> dict[str, object]:
    """What Marabou as it is says of one problem's frozen query."""
    try:
        query = random_problem(seed)[0].query
    except InputError:
        return {"bare": "none"}
    status, missed = bare.ask(query, SECONDS)
    return {"bare": status, "bare_missed": missed}


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


def report(found: Sequence[Record]) -> str:
    """The tables in markdown: engines, kinds, and every wrong answer."""
    texts = [f"n = {len(found)} of 1000.\n"]
    lines = []
    for engine, name in ENGINES.items():
        outcome = Counter(judge(str(r.get(engine, "none")), r) for r in found)
        said = Counter(str(r.get(engine, "none")) for r in found)
        counts = [said["sat"], said["unsat"], outcome["right"], outcome["wrong"], outcome["open"]]
        lines.append((name, *counts, outcome["not asked"]))
    header = ("engine", "sat", "unsat", "right", "wrong", "no answer", "not asked")
    texts.append(table(header, lines))
    kinds = []
    for kind in (*KINDS, "all"):
        group = [r for r in found if kind == "all" or kind in _kinds(r)]
        truths = Counter(truth(r) for r in group)
        wrong = [sum(judge(str(r.get(e, "none")), r) == "wrong" for r in group) for e in ENGINES]
        kinds.append((kind, len(group), truths["sat"], truths["unsat"], *wrong))
    header = ("kind", "n", "sat", "unsat", *(f"wrong: {name}" for name in ENGINES.values()))
    texts.append(table(header, kinds))
    listed = [line for r in found for line in _wrongs(r)]
    texts.append(
        f"Wrong answers met ({len(listed)}):\n\n" + "".join(f"- {line}\n" for line in listed)
        if listed
        else "Wrong answers met: none.\n"
    )
    return "\n".join(texts)


def _kinds(record: Record) -> Sequence[str]:
    kinds = record["kinds"]
    assert isinstance(kinds, list)
    return kinds


def _wrongs(record: Record) -> list[str]:
    """Everything that somebody got wrong of one problem, in words."""
    where = f"problem {record['seed']} ({', '.join(_kinds(record))}): "
    found = [
        f"{where}{name} said {record[engine]}, z3 {record['z3']}"
        for engine, name in ENGINES.items()
        if judge(str(record.get(engine, "none")), record) == "wrong"
    ]
    missed = record.get("bare_missed")
    if isinstance(missed, float) and missed > MISSED:
        found.append(f"{where}the values of Marabou's sat miss a constraint by {missed:.3g}")
    notes = record.get("notes", [])
    assert isinstance(notes, list)
    return found + [f"{where}within `Problem.solve`, {note}" for note in notes if "wrong" in note]


def truth(record: Record) -> str:
    """z3's word; ``unsat`` where interval propagation proved it before anyone was asked."""
    return "unsat" if record["z3"] == "none" else str(record["z3"])


def judge(status: str, record: Record) -> str:
    """``right``, ``wrong``, ``open`` (no answer, or none of z3's) or ``not asked``."""
    if status == "none":
        return "not asked"
    if status not in ("sat", "unsat") or truth(record) not in ("sat", "unsat"):
        return "open"
    return "right" if status == truth(record) else "wrong"


if __name__ == "__main__":
    main()
