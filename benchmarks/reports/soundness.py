"""What the soundness suite counts, from its rows, as text in columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction

from benchmarks.harness.rows import Row
from marapatch.problem.verdict import Evidence
from marapatch.query.lowering import RELAXATION, SHRINKAGE
from marapatch.solvers.base import UNCONFIRMED_SHRINKAGE

RELAXATIONS = (0.0, 1e-7, 1e-6, 1e-5, 1e-4)
SHRINKAGES = (1e-6, 1e-5, 1e-4, 1e-3)
BEYOND = (2, 3, 4, 5, 6, 7)
"""k: asked at d* (1 + 10^-k)."""
BEFORE = (2, 3, 4)
"""k: asked at d* (1 - 10^-k)."""

SAT, UNSAT, OPEN = "s", "u", "?"

Counts = dict[tuple[str, float], Counter[int]]
"""By solver and relaxation: how many ``unsat`` were wrong, by k."""


def report(rows: Sequence[Row], _: int = 0) -> str:
    """The tables, in a block of text as it is."""
    known = _asked(rows)
    kinds = Counter(row["kind"] for row in known)
    first = f"{len(rows)} networks, {len(known)} asked with a verified optimum: {dict(kinds)}"
    if not rows:
        return f"```text\n{first}\n```\n"
    counts = _wrong_answers(known)
    bounds = sum(UNSAT in row["beyond"]["bounds"] for row in known)
    alone, confirmed = _own_claims(counts)
    parts = [
        first,
        _columns(
            "wrong unsat at d*(1 + 10^-k), by k",
            ("solver", "rho", *BEYOND),
            [(n, f"{rho:g}", *(c[k] for k in BEYOND)) for (n, rho), c in counts.items()],
        ),
        _columns(
            "wrong claims r(1 - kappa) > d*, by kappa",
            ("solver", "rho", *(f"{kappa:g}" for kappa in SHRINKAGES)),
            [
                (n, f"{rho:g}", *(_claims(c, kappa) for kappa in SHRINKAGES))
                for (n, rho), c in counts.items()
            ],
        ),
        _columns(
            "Marabou's wrong claims by kind of network, kappa = 1e-3 / 1e-4 / 1e-6",
            ("kind", *(f"rho {rho:g}" for rho in RELAXATIONS)),
            [
                (kind, *(_of_kind(known, kind, rho) for rho in RELAXATIONS))
                for kind in sorted(kinds)
            ],
        ),
        _columns(
            "answers at d*(1 - 10^-k), sat (too relaxed) / unsat / unknown, by k",
            ("solver", "rho", *BEFORE),
            [
                (name, f"{rho:g}", *(_before(known, name, rho, i) for i in range(len(BEFORE))))
                for name in ("marabou", "highs")
                for rho in RELAXATIONS
            ],
        ),
        f"\nrefuted by bounds alone although there: {bounds}",
        _searches(rows),
        f"\nthe program's claims, rho {RELAXATION:g}: {alone} wrong of Marabou alone",
        f"(kappa {UNCONFIRMED_SHRINKAGE:g}), "
        f"{confirmed} wrong of Marabou and HiGHS (kappa {SHRINKAGE:g})",
    ]
    return "```text\n" + "\n".join(parts) + "\n```\n"


def is_passed(rows: Sequence[Row]) -> bool:
    """Whether the release test is: no wrong claim of bounds, searches or the program's solvers."""
    known = _asked(rows)
    bounds = any(UNSAT in row["beyond"]["bounds"] for row in known)
    missed = any(found["wrong"] for row in rows for found in row.get("searches", {}).values())
    return not bounds and not missed and not any(_own_claims(_wrong_answers(known)))


def _asked(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if "beyond" in row]


def _wrong_answers(known: Sequence[Row]) -> Counts:
    judges: list[tuple[str, Callable[[Row, float], list[int]]]] = [
        ("marabou", lambda row, rho: _wrong(row, "marabou", rho)),
        ("highs", lambda row, rho: _wrong(row, "highs", rho)),
        ("both", _both_wrong),
    ]
    return {
        (name, rho): Counter(k for row in known for k in judge(row, rho))
        for name, judge in judges
        for rho in RELAXATIONS
    }


def _own_claims(counts: Counts) -> tuple[int, int]:
    """What the program would have claimed wrongly: of Marabou alone, of Marabou and HiGHS."""
    alone = _claims(counts["marabou", RELAXATION], UNCONFIRMED_SHRINKAGE)
    return alone, _claims(counts["both", RELAXATION], SHRINKAGE)


def _claims_too_much(k: int, kappa: float) -> bool:
    """Whether an ``unsat`` at d* (1 + 10^-k), with kappa taken off, exceeds d*."""
    return (1 + Fraction(1, 10**k)) * (1 - Fraction(kappa)) > 1


def _claims(counts: Counter[int], kappa: float) -> int:
    """How many of the wrong ``unsat`` lead to a wrong claim."""
    return sum(count for k, count in counts.items() if _claims_too_much(k, kappa))


def _wrong(row: Row, solver: str, rho: float) -> list[int]:
    """The k at which a solver's ``unsat`` was wrong."""
    letters = row["beyond"][solver][f"{rho:g}"]
    return [k for k, found in zip(BEYOND, letters, strict=True) if found == UNSAT]


def _both_wrong(row: Row, rho: float) -> list[int]:
    """The k at which Marabou's ``unsat`` was wrong and HiGHS confirmed it."""
    return sorted(set(_wrong(row, "marabou", rho)) & set(_wrong(row, "highs", rho)))


def _of_kind(rows: Sequence[Row], kind: str, rho: float) -> str:
    """Marabou's wrong claims on networks of one kind, for three kappa."""
    counts = Counter(k for r in rows if r["kind"] == kind for k in _wrong(r, "marabou", rho))
    return " / ".join(str(_claims(counts, kappa)) for kappa in (1e-3, 1e-4, 1e-6))


def _before(rows: Sequence[Row], name: str, rho: float, place: int) -> str:
    """How often each answer was given below the optimum."""
    counts = Counter(row["before"][name][f"{rho:g}"][place] for row in rows)
    return " / ".join(str(counts[answer]) for answer in (SAT, UNSAT, OPEN))


def _searches(rows: Sequence[Row]) -> str:
    """How the whole searches fared."""
    lines = []
    for name in sorted({name for row in rows for name in row.get("searches", {})}):
        results = [row["searches"][name] for row in rows if name in row.get("searches", {})]
        failures = Counter(result["wrong"] for result in results)
        by_solver = sum(r.get("evidence") == Evidence.SOLVER.value for r in results)
        closed = sum(bool(result.get("closed")) for result in results)
        kinds = ("lower", "upper", "contradiction")
        lines.append((name, len(results), closed, by_solver, *(failures[kind] for kind in kinds)))
    head = ("search", "networks", "closed", "by solver", "wrong lower", "wrong upper", "contrad.")
    return _columns("whole searches with Marabou", head, lines)


def _columns(title: str, head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    widths = [max(len(str(line[i])) for line in (head, *rows)) for i in range(len(head))]
    lines = [
        "  " + "  ".join(f"{cell!s:>{w}}" for cell, w in zip(line, widths, strict=True))
        for line in (head, *rows)
    ]
    return "\n".join([f"\n{title}", *lines])
