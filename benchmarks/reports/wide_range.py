"""The tables of the suite of wide-range numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from re import sub
from statistics import median

from benchmarks.harness.markdown import made_by, table
from benchmarks.harness.rows import Row

OUTCOMES = ("closed", "open", "refused", "contradiction", "crash", "failed")
"""Each question ends in one; ``failed``: its process died or had to be killed."""

HEAD = ("n", *OUTCOMES, "**wrong**", "no such input", "confirmed", "median s", "most s")

LISTED = 20
"""So many failures are told in words."""

Rows = Sequence[Row]


def is_failure(row: Row) -> bool:
    """Whether the row must not be: a wrong claim, a contradiction, a breakdown."""
    return bool(row.get("wrong")) or row["status"] in ("contradiction", "crash", "failed")


def report(rows: Rows, _: int = 0) -> str:
    """Every table, in markdown, and what failed, by key."""
    if not rows:
        return "nothing known yet\n"
    sections = [
        _table("by search", _groups(rows, lambda row: str(row["search"]))),
        _table("by kind of network", _groups(rows, lambda row: str(row.get("kind", "-")))),
        _table("by box", _groups(rows, lambda row: str(row.get("box", "-")))),
        _table("by type and norm", _groups(rows, _type_and_norm)),
    ]
    told = [
        _in_words("refused because", rows, "refused", "message"),
        _in_words("open because", rows, "open", "note"),
    ]
    return "\n".join([*sections, *told, _failures(rows), _sources(rows)])


def _type_and_norm(row: Row) -> str:
    return f"{row.get('type', '-')}, {row.get('norm', '-')}"


def _groups(rows: Rows, name: Callable[[Row], str]) -> Iterator[tuple[str, list[Row]]]:
    for found in sorted({name(row) for row in rows}):
        yield found, [row for row in rows if name(row) == found]


def _table(title: str, groups: Iterator[tuple[str, list[Row]]]) -> str:
    return table((title, *HEAD), [_line(name, group) for name, group in groups])


def _line(name: str, group: Rows) -> tuple[object, ...]:
    counts = [sum(row["status"] == outcome for row in group) for outcome in OUTCOMES]
    seconds = [row["seconds"] for row in group if "seconds" in row]
    replayed = [row["confirmed"] for row in group if row.get("confirmed") is not None]
    return (
        name,
        len(group),
        *counts,
        sum(bool(row.get("wrong")) for row in group),
        sum("distance" in row and row["distance"] is None for row in group),
        f"{sum(replayed)}/{len(replayed)}",
        f"{median(seconds):.2f}" if seconds else "-",
        f"{max(seconds):.1f}" if seconds else "-",
    )


def _in_words(title: str, rows: Rows, outcome: str, field: str) -> str:
    """What the program says of an outcome, its numbers and the end of the line left out."""
    concerned = [row for row in rows if row["status"] == outcome]
    groups = _groups(concerned, lambda row: sub(r"[0-9]+", "N", " ".join(row[field].split()[:9])))
    return table((title, "n"), [(f"`{name} ...`", len(group)) for name, group in groups])


def _failures(rows: Rows) -> str:
    bad = [row for row in rows if is_failure(row)]
    lines = [f"{len(bad)} of n = {len(rows)} wrong, contradictory or broken down."]
    for row in bad[:LISTED]:
        told = "; ".join(row.get("wrong") or [row.get("message") or row.get("error", "")])
        lines.append(f"- `--show {row['key']}` ({row.get('kind', '-')}): {told}")
    return "\n".join(lines) + "\n"


def _sources(rows: Rows) -> str:
    loads = [row["load"] for row in rows if row.get("load") is not None]
    load = f" Load average {median(loads):.1f} (median)." if loads else ""
    return f"{made_by(rows)}.{load}\n"
