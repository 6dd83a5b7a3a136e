"""Do the tree, a MILP and exact enumeration agree? Random small networks, both norms.

Each network is asked for the nearest input that meets its condition: by the tree, by one
mixed-integer program of the whole box that minimises the distance (HiGHS, zero gap), by the search
``descent`` with HiGHS as its only engine, and by enumeration of every phase pattern in rational
arithmetic. A contradiction is a bracket that does not hold the enumerated optimum, two brackets
without a common point, a witness where enumeration says that there is none, an optimum of the
program that is off by more than the tolerance, or an exception that says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import inf, isfinite
from statistics import median
from time import monotonic

from _harness import Row, finite, table
from _milp_peer import minimise
from exact_optimum import Optimum, nearest
from small_networks import Case, small_case

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

ENUMERATION = 60.0
"""Seconds that a network's row may take in all, before the harness begins to count its grace."""

WAYS = ("tree", "descent", "milp")
"""The tree has Marabou for its leaves, ``descent`` HiGHS."""

DOUBT = 1e-6
"""What is taken off HiGHS's dual bound, relatively, as the program does of its ``unsat``."""

DISJOINT, CONTRADICTION = "brackets disjoint", "contradiction"
VALUE = "value"


@dataclass(frozen=True)
class Agreement:
    """The question number ``seed``."""

    seed: int
    timeout: float = ENUMERATION

    @property
    def key(self) -> str:
        """Its name in the store."""
        return str(self.seed)

    def about(self) -> Row:
        """What is known before it runs."""
        return {"seed": self.seed}


@cache
def _backend(way: str) -> Backend:
    """One a process; it ends with it."""
    return HighsBackend() if way == "descent" else MarabouBackend()


def agreement(asked: Agreement) -> Row:
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
    fault = verdict_on(bracket, optimum)
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


def verdict_on(bracket: Bracket, optimum: Optimum | None) -> str:
    """What is wrong with ``bracket``: nothing, ``lower`` or ``upper``."""
    if optimum is None:
        return "upper" if bracket.witness is not None else ""
    if optimum.exact and (
        not isfinite(bracket.lower) or Fraction(bracket.lower) > optimum.distance
    ):
        return "lower"
    if optimum.exact and bracket.upper < float(optimum.distance) * (1.0 - 1e-9):
        return "upper"
    return ""


def tables(rows: Sequence[Row], expected: int) -> str:
    """What came out by kind of network and norm, in markdown; contradictions are named."""
    lines = [_line(name, group) for name, group in _groups(rows)]
    header = (
        "networks",
        "n",
        "failed",
        "no such input",
        "optimum in fractions",
        "tree closed",
        "tree by solver",
        "MILP solved",
        "descent closed",
        "all three",
        *(f"contradictions, {way}" for way in WAYS),
        *(f"median s, {way}" for way in WAYS),
    )
    text = table(header, lines)
    bad = [row for row in rows if row.get("wrong")]
    ours = sum(any(w.startswith(("tree", "descent")) for w in row["wrong"]) for row in bad)
    text += (
        f"\nn = {len(rows)} of {expected}; contradictions of the tree or of `descent`: {ours}; of "
        f"the program, taken at its word, with the optimum or the tree: {len(bad) - ours}.\n"
    )
    text += "".join(f"\n- network {row['key']}: {'; '.join(row['wrong'])}" for row in bad)
    sources = Counter(f"marapatch {row['marapatch']} ({row['source']})" for row in rows)
    made = "; ".join(f"{name}: {n} rows" for name, n in sources.items())
    return f"{text}\n{made}.\n" if rows else text


def _groups(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    for norm, name in (("linf", "L-inf"), ("l1", "L1")):
        for kind in sorted({row["kind"] for row in rows if "kind" in row}):
            yield (
                f"{name}, {kind}",
                [r for r in rows if (r.get("norm"), r.get("kind")) == (norm, kind)],
            )
    yield "all", list(rows)


def _line(name: str, group: Sequence[Row]) -> tuple[object, ...]:
    good = [row for row in group if row["status"] != "failed"]
    return (
        name,
        len(group),
        len(group) - len(good),
        sum(row["distance"] is None for row in good),
        sum(row["exact"] and row["distance"] is not None for row in good),
        sum(row["tree"]["closed"] for row in good),
        sum(row["tree"].get("evidence") == Evidence.SOLVER.value for row in good),
        sum(row["milp"]["closed"] for row in good),
        sum(row["descent"]["closed"] for row in good),
        sum(row["status"] == "closed" for row in good),
        *(sum(any(w.startswith(way) for w in row["wrong"]) for row in good) for way in WAYS),
        *(f"{median(r[way]['seconds'] for r in good):.2f}" if good else "-" for way in WAYS),
    )
