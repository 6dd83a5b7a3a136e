"""Tables in markdown, what is said below them, and the pages into which they are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import exp, log
from pathlib import Path
from statistics import fmean, median

from benchmarks.harness.rows import Row
from marapatch.errors import InputError

PAGES = Path(__file__).resolve().parents[1] / "pages"
"""A page a group of suites; committed."""

NORMS = {"linf": "L-inf", "l1": "L1"}
"""How the tables call the norms."""


def geometric_mean(values: Iterable[float]) -> float:
    """The geometric mean of positive numbers; NaN of none."""
    logs = [log(value) for value in values]
    return exp(fmean(logs)) if logs else float("nan")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A markdown table; numbers are aligned to the right, that is every column but the first."""
    lines = [" | ".join(header), " | ".join(["---", *["---:"] * (len(header) - 1)])]
    lines += [" | ".join(map(str, row)) for row in rows]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def write(texts: Mapping[str, str], folder: Path = PAGES) -> None:
    """Put each text between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``, on the page that has
    these marks.

    What is written outside the marks stays. Raises InputError where no page has the marks.
    """
    for name, text in texts.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        for page in sorted(folder.glob("*.md")):
            head, found, rest = page.read_text(encoding="utf-8").partition(begin)
            _, closed, tail = rest.partition(end)
            if found and closed:
                page.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")
                break
        else:
            raise InputError(
                f"{folder}: no page has {begin.strip()} followed by {end}; add the two lines to one"
            )


def sources(rows: Iterable[Row]) -> Counter[str]:
    """How many rows each source of the program made."""
    return Counter(
        f"marapatch {row['marapatch']} ({row['source']})" if "source" in row else "no source noted"
        for row in rows
    )


def made_by(rows: Iterable[Row]) -> str:
    """The sources of the rows in words, with how many each made."""
    return "; ".join(f"{name}: {n} rows" for name, n in sources(rows).items())


def _closed(row: Row) -> bool:
    return bool(row.get("closed", row["status"] == "closed"))


def footer(
    rows: Sequence[Row],
    expected: int,
    good: Callable[[Row], bool] | None = None,
    word: str = "closed",
) -> str:
    """How much of the suite this is, and what made it: more than one source is said in full.

    ``good``: which rows are counted by source, under ``word``; None: those that closed.
    """
    counted = _closed if good is None else good
    loads = [r["load"] for r in rows if r["load"] is not None]
    parts = [
        f"n = {len(rows)} of {expected}",
        f"failed {sum(r['status'] == 'failed' for r in rows)}",
    ]
    if len(rows) < expected:
        parts.append("a partial table: its shares are not those of the whole suite")
    if loads:
        parts.append(f"load average of the machine: median {median(loads):.1f}")
    made, met = sources(rows), sources(r for r in rows if counted(r))
    by = "; ".join(f"{name}: {n} rows, {met[name]} {word}" for name, n in made.items())
    text = f"{'; '.join(parts)}. {by}.\n"
    if len(made) > 1:
        text += (
            "\nThese rows are not one run of one program: each was made by the code named in "
            "it, and an instance that was run again counts as its last run.\n"
        )
    return text
