"""The release test of soundness: does a solver's ``unsat`` ever refute an input that is there?

Small random networks whose optimum d* is known exactly (every phase pattern, then rational
arithmetic) are asked, as the program asks, whether an input meets the condition within
d* (1 + 10^-k): there always is one, and it is a thin cone near d*. Every ``unsat`` is wrong. What
counts is the claim: an ``unsat`` at radius r supports r (1 - kappa), which is wrong where it
exceeds d*. The same is asked within d* (1 - 10^-k), to see what a relaxation costs; and whole
searches are run, whose brackets must hold d*. (DESIGN: section 5, rule 3.)

  python benchmarks/soundness.py                        the release test: 10,000 networks
  python benchmarks/soundness.py --seconds 600          as many as ten minutes allow
  python benchmarks/soundness.py --every 5              whole searches on every fifth only
  python benchmarks/soundness.py --networks 0           the tables of what is known

  python benchmarks/soundness.py --agreement --networks 2000 --jobs 2
                                                        tree, MILP and enumeration: do they agree?
  python benchmarks/soundness.py --agreement --networks 0    the table of what is known

With --agreement: see _agreement_trees.py; the rows are those of results/agreement_trees.jsonl.

One row a network in results/soundness.jsonl; a run that was stopped goes on where it ended.
Exits with 1 where a bracket did not hold d*, or where the program's own rho and kappa led to a
wrong claim.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import monotonic

from _harness import RESULTS, Row, Store, finite, provenance, run

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from _agreement_trees import Agreement, agreement, tables, verdict_on
from exact_optimum import Optimum, nearest
from small_networks import Case, small_case

from marapatch.bounds.crown import bound_condition, linear_bounds
from marapatch.errors import ContradictionError
from marapatch.problem.bracket import Bracket
from marapatch.problem.verdict import Evidence
from marapatch.query.lowering import RELAXATION, SHRINKAGE, lower
from marapatch.search import SEARCHES
from marapatch.search.options import SearchOptions
from marapatch.solvers import HighsBackend, MarabouBackend
from marapatch.solvers.base import Answer, Backend, Candidate, Infeasible, Undecided
from marapatch.solvers.trust import ALONE

RELAXATIONS = (0.0, 1e-7, 1e-6, 1e-5, 1e-4)
SHRINKAGES = (1e-6, 1e-5, 1e-4, 1e-3)
BEYOND = (2, 3, 4, 5, 6, 7)
"""k: asked at d* (1 + 10^-k)."""
BEFORE = (2, 3, 4)
"""k: asked at d* (1 - 10^-k)."""

QUERY_SECONDS = 1.0
SEARCH_SECONDS = 5.0
TOLERANCE = 1e-4

AGREED = 2_000
"""Networks on which tree, MILP and enumeration are to agree."""

SAT, UNSAT, OPEN = "s", "u", "?"


@dataclass(frozen=True)
class Solvers:
    """The engines under test, each asked one query at a time."""

    marabou: MarabouBackend
    highs: HighsBackend

    def items(self) -> Iterator[tuple[str, Backend]]:
        yield "marabou", self.marabou
        yield "highs", self.highs


def letter(answer: Answer) -> str:
    """One letter for what a backend answered."""
    match answer:
        case Infeasible():
            return UNSAT
        case Candidate():
            return SAT
        case Undecided():
            return OPEN


def examine(seed: int, solvers: Solvers, searches: Sequence[str]) -> Row:
    """One row: what every solver and search says about the question number ``seed``."""
    started = monotonic()
    case = small_case(seed)
    optimum = nearest(case.network.standard_form, case.ball, case.condition, case.witnessed)
    sizes = [case.network.inputs, *(h.outputs for h in case.network.standard_form.hidden)]
    row: Row = {
        "key": str(seed),
        "kind": case.kind,
        "norm": case.ball.norm.value,
        "sizes": [*sizes, case.network.outputs],
        "distance": None if optimum is None else float(optimum.distance),
        "exact": optimum is not None and optimum.exact,
        **provenance(),
    }
    if optimum is not None and optimum.exact and optimum.distance > 0:
        row["beyond"] = asked(case, optimum, BEYOND, 1, solvers)
        row["before"] = asked(case, optimum, BEFORE, -1, solvers)
    row["searches"] = {name: searched(case, optimum, name, solvers) for name in searches}
    row["seconds"] = monotonic() - started
    return row


def asked(
    case: Case, optimum: Optimum, ks: Sequence[int], sign: int, solvers: Solvers
) -> dict[str, object]:
    """Answers by solver and relaxation, one letter a k; ``bounds``: what bounds alone refute."""
    form, condition = case.network.standard_form, case.condition
    answers: dict[str, dict[str, str]] = {name: {} for name, _ in solvers.items()}
    refuted = ""
    for k in ks:
        radius = float(optimum.distance * (1 + sign * Fraction(1, 10**k)))
        ball = case.ball.with_radius(radius)
        bounds = linear_bounds(form, ball)
        refuted += UNSAT if bound_condition(form, bounds, condition).worst < 0.0 else OPEN
        for rho in RELAXATIONS:
            query = lower(form, bounds, ball, condition, relaxation=rho).query
            for name, backend in solvers.items():
                found = letter(backend.solve(query, QUERY_SECONDS))
                answers[name][f"{rho:g}"] = answers[name].get(f"{rho:g}", "") + found
    return {**answers, "bounds": refuted}


def searched(case: Case, optimum: Optimum | None, name: str, solvers: Solvers) -> Row:
    """The bracket of a whole search with Marabou, and whether it holds the optimum."""
    started = monotonic()
    options = SearchOptions(tolerance=TOLERANCE, timeout=SEARCH_SECONDS)
    try:
        found = SEARCHES[name](
            case.question, Bracket(), solvers.marabou, options, lambda bracket, queries: None
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
        "wrong": verdict_on(bracket, optimum),
        "seconds": monotonic() - started,
    }


def claims_too_much(k: int, kappa: float) -> bool:
    """Whether an ``unsat`` at d* (1 + 10^-k), with kappa taken off, exceeds d*."""
    return (1 + Fraction(1, 10**k)) * (1 - Fraction(kappa)) > 1


def wrong(row: Row, solver: str, rho: float) -> list[int]:
    """The k at which a solver's ``unsat`` was wrong."""
    letters = row["beyond"][solver][f"{rho:g}"]
    return [k for k, found in zip(BEYOND, letters, strict=True) if found == UNSAT]


def both_wrong(row: Row, rho: float) -> list[int]:
    """The k at which Marabou's ``unsat`` was wrong and HiGHS confirmed it."""
    return sorted(set(wrong(row, "marabou", rho)) & set(wrong(row, "highs", rho)))


def table(title: str, head: Sequence[object], rows: Sequence[Sequence[object]]) -> None:
    """Print one table."""
    widths = [max(len(str(line[i])) for line in (head, *rows)) for i in range(len(head))]
    print(f"\n{title}")
    for line in (head, *rows):
        print("  " + "  ".join(f"{cell!s:>{w}}" for cell, w in zip(line, widths, strict=True)))


def summary(rows: Sequence[Row]) -> bool:
    """Print the tables; whether the release test is passed."""
    known = [row for row in rows if "beyond" in row]
    kinds = Counter(row["kind"] for row in known)
    print(f"{len(rows)} networks, {len(known)} asked with a verified optimum: {dict(kinds)}")
    if not rows:
        return True
    judges: list[tuple[str, Callable[[Row, float], list[int]]]] = [
        ("marabou", lambda row, rho: wrong(row, "marabou", rho)),
        ("highs", lambda row, rho: wrong(row, "highs", rho)),
        ("both", both_wrong),
    ]
    found = {
        (name, rho): Counter(k for row in known for k in judge(row, rho))
        for name, judge in judges
        for rho in RELAXATIONS
    }
    table(
        "wrong unsat at d*(1 + 10^-k), by k",
        ("solver", "rho", *BEYOND),
        [(n, f"{rho:g}", *(c[k] for k in BEYOND)) for (n, rho), c in found.items()],
    )
    table(
        "wrong claims r(1 - kappa) > d*, by kappa",
        ("solver", "rho", *(f"{kappa:g}" for kappa in SHRINKAGES)),
        [
            (n, f"{rho:g}", *(claims(counts, kappa) for kappa in SHRINKAGES))
            for (n, rho), counts in found.items()
        ],
    )
    table(
        "Marabou's wrong claims by kind of network, kappa = 1e-3 / 1e-4 / 1e-6",
        ("kind", *(f"rho {rho:g}" for rho in RELAXATIONS)),
        [(kind, *(of_kind(known, kind, rho) for rho in RELAXATIONS)) for kind in sorted(kinds)],
    )
    table(
        "answers at d*(1 - 10^-k), sat (too relaxed) / unsat / unknown, by k",
        ("solver", "rho", *BEFORE),
        [
            (name, f"{rho:g}", *(answers_before(known, name, rho, i) for i in range(len(BEFORE))))
            for name in ("marabou", "highs")
            for rho in RELAXATIONS
        ],
    )
    bounds = sum(UNSAT in row["beyond"]["bounds"] for row in known)
    print(f"\nrefuted by bounds alone although there: {bounds}")
    missed = searches(rows)
    alone = claims(found["marabou", RELAXATION], ALONE)
    confirmed = claims(found["both", RELAXATION], SHRINKAGE)
    own = alone + confirmed
    print(f"\nthe program's claims, rho {RELAXATION:g}: {alone} wrong of Marabou alone")
    print(f"(kappa {ALONE:g}), {confirmed} wrong of Marabou and HiGHS (kappa {SHRINKAGE:g})")
    return bounds == 0 and missed == 0 and own == 0


def claims(counts: Counter[int], kappa: float) -> int:
    """How many of the wrong ``unsat`` lead to a wrong claim."""
    return sum(count for k, count in counts.items() if claims_too_much(k, kappa))


def of_kind(rows: Sequence[Row], kind: str, rho: float) -> str:
    """Marabou's wrong claims on networks of one kind, for three kappa."""
    counts = Counter(k for r in rows if r["kind"] == kind for k in wrong(r, "marabou", rho))
    return " / ".join(str(claims(counts, kappa)) for kappa in (1e-3, 1e-4, 1e-6))


def answers_before(rows: Sequence[Row], name: str, rho: float, place: int) -> str:
    """How often each answer was given below the optimum."""
    counts = Counter(row["before"][name][f"{rho:g}"][place] for row in rows)
    return " / ".join(str(counts[answer]) for answer in (SAT, UNSAT, OPEN))


def searches(rows: Sequence[Row]) -> int:
    """Print how the whole searches fared; how many brackets did not hold the optimum."""
    lines = []
    missed = 0
    for name in sorted({name for row in rows for name in row["searches"]}):
        results = [row["searches"][name] for row in rows if name in row["searches"]]
        failures = Counter(result["wrong"] for result in results)
        missed += len(results) - failures[""]
        by_solver = sum(r.get("evidence") == Evidence.SOLVER.value for r in results)
        closed = sum(bool(result.get("closed")) for result in results)
        kinds = ("lower", "upper", "contradiction")
        lines.append((name, len(results), closed, by_solver, *(failures[kind] for kind in kinds)))
    head = ("search", "networks", "closed", "by solver", "wrong lower", "wrong upper", "contrad.")
    table("whole searches with Marabou", head, lines)
    return missed


def agree(store: Store, networks: int, jobs: int) -> int:
    """Ask three ways about ``networks`` networks (0: none, only the table); the exit code."""
    cases = [Agreement(seed) for seed in range(networks)]
    if cases:
        run(cases, agreement, store, jobs=jobs, report=lambda line: print(line, flush=True))
    rows = store.rows()
    print(tables(rows, max(AGREED, networks)))
    return 1 if any(row.get("wrong") for row in rows) else 0


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", type=int, default=10_000, help="seeds 0 .. N-1")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--searches", nargs="*", default=["tree", "descent"], help="run on each")
    parser.add_argument("--every", type=int, default=1, help="search on every n-th network only")
    parser.add_argument("--output", type=Path, help="file of the rows")
    parser.add_argument("--agreement", action="store_true", help="tree, MILP and enumeration")
    parser.add_argument("--jobs", type=int, default=1, help="with --agreement: networks at a time")
    arguments = parser.parse_args()
    if arguments.agreement:
        store = Store(arguments.output or RESULTS / "agreement_trees.jsonl")
        return agree(store, arguments.networks, arguments.jobs)
    store = Store(arguments.output or RESULTS / "soundness.jsonl")
    done = {row["key"] for row in store.rows()}
    until = monotonic() + arguments.seconds
    solvers = Solvers(MarabouBackend(), HighsBackend())
    try:
        for seed in range(arguments.networks):
            if monotonic() >= until:
                break
            if str(seed) not in done:
                searches_here = arguments.searches if seed % arguments.every == 0 else []
                store.append(examine(seed, solvers, searches_here))
    except KeyboardInterrupt:
        print("interrupted; what is known:")
    finally:
        solvers.marabou.close()
    return 0 if summary(store.rows()) else 1


if __name__ == "__main__":
    sys.exit(main())
