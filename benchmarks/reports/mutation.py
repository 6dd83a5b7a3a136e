"""The table of mutants, from their rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from benchmarks.harness.markdown import table
from benchmarks.harness.rows import Row


def report(rows: Sequence[Row], _: int = 0) -> str:
    """A line a module, and what survived."""
    if not rows:
        return "Not run yet: n = 0.\n"
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row["module"], Counter())[row["outcome"]] += 1
    lines = [_line(module, counts[module]) for module in sorted(counts)]
    total = sum(counts.values(), Counter())
    columns = ["module", "mutants", "killed", "of these by time", "survived", "score"]
    survivors = [
        f"- `{r['module']}`: {_inline(r['change'])}" for r in rows if r["outcome"] == "survived"
    ]
    return "\n".join([table(columns, [*lines, _line("all", total)]), "", *survivors])


def _line(name: str, count: Counter[str]) -> list[str]:
    killed = count["killed"] + count["timeout"]
    tried = killed + count["survived"]
    score = f"{100.0 * killed / tried:.0f} %" if tried else "-"
    return [f"`{name}`", str(tried), str(killed), str(count["timeout"]), str(count["survived"]),
            score]  # fmt: skip


def _inline(change: str) -> str:
    parts = [f"`{line[0]} {line[1:].strip()}`" for line in change.splitlines()]
    return " ".join(parts[:4])
