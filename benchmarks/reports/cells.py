"""What the tables of the ground-truth suites are made of: numbers out of rows, as text."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from math import inf, isnan

from benchmarks.harness.markdown import NORMS
from benchmarks.harness.rows import Row


def lower(row: Row) -> float:
    """``lower``; JSON's null is infinity: proved that there is nothing in the box."""
    return inf if row["lower"] is None else float(row["lower"])


def upper(row: Row) -> float:
    return inf if row["upper"] is None else float(row["upper"])


def good(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["status"] != "failed"]


def share(row: Row) -> float:
    """The gap as a share of upper, in per cent."""
    return 0.0 if row["closed"] else 100.0 * (1.0 - lower(row) / upper(row))


def number(value: float, form: str = ".4g") -> str:
    return "-" if isnan(value) else "none" if value == inf else format(value, form)


def median(values: Iterable[float], form: str = ".3g") -> str:
    known = list(values)
    return number(statistics.median(known), form) if known else "-"


def mean(values: Iterable[float]) -> float:
    known = list(values)
    return statistics.fmean(known) if known else float("nan")


def bracket(row: Row | None) -> str:
    if row is None:
        return "not run"
    if row["status"] == "failed":
        return "failed"
    sizes = f"[{number(lower(row), '.5g')}, {number(upper(row), '.5g')}]"
    return f"{sizes} {'closed' if row['closed'] else 'open'}"


def cell(row: Row | None) -> str:
    if row is None or row["status"] == "failed":
        return bracket(row)
    return f"{bracket(row)}, {row['seconds']:.1f} s"


def name(row: Row) -> str:
    return f"{row['network']}, {NORMS[row['norm']]}, digit {row['image']} as {row['target']}"
