"""The tables of tree, MILP and enumeration, from their rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks.harness.markdown import NORMS, made_by, table
from benchmarks.harness.rows import Row
from marapatch.problem.verdict import Evidence

WAYS = ("tree", "descent", "milp")
"""The tree has Marabou for its leaves, ``descent`` HiGHS."""


def report(rows: Sequence[Row], expected: int) -> str:
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
    return f"{text}\n{made_by(rows)}.\n" if rows else text


def _groups(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    for norm, name in NORMS.items():
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
