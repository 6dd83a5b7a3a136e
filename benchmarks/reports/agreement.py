"""The tables of random queries asked of every engine, from their rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from random_problems import KINDS

from benchmarks.harness.markdown import table
from benchmarks.harness.rows import Row

MISSED = 1e-3
"""An assignment of Marabou's that misses a constraint by more is counted as wrong."""

ENGINES = {
    "bare": "Marabou as it is",
    "plain": "our backend for Marabou",
    "highs": "HiGHS",
    "shielded": "`Problem.solve`",
}


def report(rows: Sequence[Row], expected: int) -> str:
    """The tables in markdown: engines, kinds, and every wrong answer."""
    found = sorted(
        (row for row in rows if row.get("status") != "failed"), key=lambda row: row["seed"]
    )
    texts = [f"n = {len(found)} of {expected}.\n"]
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


def _kinds(row: Row) -> Sequence[str]:
    kinds = row["kinds"]
    assert isinstance(kinds, list)
    return kinds


def _wrongs(row: Row) -> list[str]:
    """Everything that somebody got wrong of one problem, in words."""
    where = f"problem {row['seed']} ({', '.join(_kinds(row))}): "
    found = [
        f"{where}{name} said {row[engine]}, z3 {row['z3']}"
        for engine, name in ENGINES.items()
        if judge(str(row.get(engine, "none")), row) == "wrong"
    ]
    missed = row.get("bare_missed")
    if isinstance(missed, float) and missed > MISSED:
        found.append(f"{where}the values of Marabou's sat miss a constraint by {missed:.3g}")
    notes = row.get("notes", [])
    assert isinstance(notes, list)
    return found + [f"{where}within `Problem.solve`, {note}" for note in notes if "wrong" in note]


def truth(row: Row) -> str:
    """z3's word; ``unsat`` where interval propagation proved it before anyone was asked."""
    return "unsat" if row["z3"] == "none" else str(row["z3"])


def judge(status: str, row: Row) -> str:
    """``right``, ``wrong``, ``open`` (no answer, or none of z3's) or ``not asked``."""
    if status == "none":
        return "not asked"
    if status not in ("sat", "unsat") or truth(row) not in ("sat", "unsat"):
        return "open"
    return "right" if status == truth(row) else "wrong"
