"""The five programs of docs/howto/own-question.md beside the same tasks in plain maraboupy.

Ours are those that the page shows and the tests run (docs/examples), the others stand in
benchmarks/peers/tour: written as a user of maraboupy 2.0.0 who knows it would, with the same files,
the same question and the same precision. Each script runs in a process of its own, three times,
with a limit of 120 s; a task and an engine is one row, a timeout too. Lines: those that are neither
blank nor only a comment, as ``ruff format`` lays them out.

  python -m benchmarks.suites.tour             run what is not there yet
  python -m benchmarks.suites.tour --report    the table of what is known

The data are found through MARAPATCH_DATA.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic

from benchmarks.harness.command import Suite, exit_with, main_of, parser_of
from benchmarks.harness.markdown import footer, table
from benchmarks.harness.rows import Row, processor_seconds

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "marapatch": ROOT / "docs" / "examples",
    "maraboupy": ROOT / "benchmarks" / "peers" / "tour",
}
LIMIT = 120.0
RUNS = 3


@dataclass(frozen=True)
class Task:
    """A script: what it is about, and what its output says, for the table.

    ``answer``: of the output; ``agree``: whether two answers can both be right.
    """

    title: str
    answer: Callable[[str], list[float]]
    agree: Callable[[Sequence[float], Sequence[float]], bool]
    show: Callable[[Sequence[float]], str]


def numbers(text: str) -> list[float]:
    """The decimal numbers in the first line of ``text``."""
    return [float(n) for n in re.findall(r"-?\d+\.\d+", text.partition("\n")[0])]


def overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two brackets have a common point, up to their last printed digit."""
    (a, b), (c, d) = sorted(one), sorted(other)
    return max(a, c) <= min(b, d) + 1e-4


def bracket(ends: Sequence[float]) -> str:
    """A bracket as it was printed."""
    low, high = sorted(ends)
    return f"[{low:g}, {high:g}]"


def words(text: str) -> list[float]:
    """The verdicts printed after their properties' numbers: 1 for sat, 0 for unsat, else -1."""
    return [{"sat": 1.0, "unsat": 0.0}.get(status, -1.0) for status in text.split()[1::2]]


def entries(text: str) -> list[float]:
    """The number of entries printed that are from 0 to 1."""
    return [float(sum(0.0 <= float(n) <= 1.0 for n in re.findall(r"-?\d+\.\d*", text)))]


def same(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two answers are equal."""
    return list(one) == list(other)


TASKS: Mapping[str, Task] = {
    "ground_truth": Task("nearest input decided otherwise, to 1e-2", numbers, overlap, bracket),
    "own_constraint": Task(
        "L1 with a constraint of one's own",
        entries,
        same,
        lambda found: f"sat, {found[0]:g} pixels in [0, 1]",
    ),
    "minimal_patch": Task("minimal patch of a layer, to 1e-4", numbers, overlap, bracket),
    "relational": Task("two copies of a network, to 1e-3", numbers, overlap, bracket),
    "acas_xu": Task(
        "ACAS Xu N_2,1, properties 1 to 4",
        words,
        same,
        lambda found: ", ".join({1.0: "sat", 0.0: "unsat"}.get(v, "open") for v in found),
    ),
}


@dataclass(frozen=True)
class Script:
    """One task by one engine."""

    task: str
    engine: str

    @property
    def key(self) -> str:
        """Its name among the rows."""
        return f"{self.task}/{self.engine}"

    @property
    def timeout(self) -> float:
        """Seconds for all its runs."""
        return LIMIT * RUNS

    @property
    def path(self) -> Path:
        """The file."""
        return FOLDERS[self.engine] / f"{self.task}.py"

    def about(self) -> Row:
        """What is known before it runs."""
        return {"suite": "tour", "task": self.task, "engine": self.engine}


def lines_of(text: str) -> int:
    """Lines that are neither blank nor only a comment."""
    return sum(
        bool(line.strip()) and not line.lstrip().startswith("#") for line in text.split("\n")
    )


def work(script: Script) -> Row:
    """Run a script so many times; its output must be the same in substance each time."""
    command = [sys.executable, "-W", "ignore", str(script.path)]
    seconds, processor, printed = [], [], ""
    status = "done"
    for _ in range(RUNS):
        started, used = monotonic(), processor_seconds()
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=LIMIT, check=False
            )
        except subprocess.TimeoutExpired:
            status = "timeout"
        else:
            printed = done.stdout
            if done.returncode:
                status = "failed"
                printed = done.stderr.strip().rpartition("\n")[2]
        seconds.append(round(monotonic() - started, 3))
        processor.append(round(processor_seconds() - used, 3))
        if status != "done":
            break
    row: Row = {
        **script.about(),
        "status": status,
        "lines": lines_of(script.path.read_text(encoding="utf-8")),
        "seconds": median(seconds),
        "processor": median(processor),
        "runs": seconds,
        "limit": LIMIT,
        "printed": printed,
    }
    if status == "failed":
        row["error"] = printed
    return row


def report(rows: Sequence[Row], expected: int) -> str:
    """The table: a line a task."""
    found = {(row["task"], row["engine"]): row for row in rows}
    lines = []
    totals = dict.fromkeys(FOLDERS, 0)
    for name, task in TASKS.items():
        pair = [found.get((name, engine)) for engine in FOLDERS]
        answers = [
            task.answer(row["printed"]) if row and row["status"] == "done" else None for row in pair
        ]
        for engine, row in zip(FOLDERS, pair, strict=True):
            totals[engine] += row["lines"] if row else 0
        one, other = answers
        verdict = "-" if one is None or other is None else str(task.agree(one, other)).lower()
        cells: list[object] = []
        for row, answer in zip(pair, answers, strict=True):
            if row is None:
                cells += ["-", "not run", "-", "-"]
                continue
            cells += [
                row["lines"],
                row["status"] if answer is None else task.show(answer),
                f"{row['seconds']:.1f}",
                f"{row['processor']:.1f}",
            ]
        lines.append((task.title, *cells, {"true": "yes", "false": "NO"}.get(verdict, verdict)))
    ours, theirs = totals.values()
    lines.append(("all", ours, "", "", "", theirs, "", "", "", ""))
    header = ["task"]
    for engine in FOLDERS:
        header += [f"{engine}: lines", "answer", "s", "processor s"]
    text = table((*header, "agree"), lines)
    made = footer(rows, expected, lambda r: r["status"] == "done", "answered")
    return f"{text}\n{made}"


SUITE = Suite(
    "tour",
    "the five programs of docs/howto/own-question.md and the same tasks in plain maraboupy",
    lambda: [Script(task, engine) for task in TASKS for engine in FOLDERS],
    work,
    report,
)


def main() -> int:
    """Run what is missing, and print the table."""
    return main_of(SUITE, parser_of(__doc__).parse_args())


if __name__ == "__main__":
    exit_with(main)
