"""Are limits of time kept? Whole commands on large questions: wall and processor seconds.

  python -m benchmarks.suites.limits                   every case that is not known yet
  python -m benchmarks.suites.limits --case "wide"     cases whose name begins so
  python -m benchmarks.suites.limits --report          the table of what is known

A case is a command with ``--timeout S``. Loading the network counts. ``wall``: seconds from start
to end of the process, Python's own start (about a second) included; ``processor``: seconds used by
it and all its children, which is what the command would take of a machine that does nothing else.
Networks are random and drawn here, but for one of the data set (MARAPATCH_DATA). A case that is
known is measured again where it is named by --case.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.harness.command import Suite, exit_with, main_of, parser_of
from benchmarks.harness.markdown import table
from benchmarks.harness.rows import Row
from benchmarks.suites.limits_files import FILES

LONGEST = 400.0
"""Seconds after which a command is ended by force, and its row says so."""

KEPT = 1.1, 1.0
"""A limit is kept where the command takes at most so many times as long, and so many seconds."""


@dataclass(frozen=True)
class Limited:
    """A command and its limit of ``seconds``; ``@NAME`` is a file of :data:`FILES`."""

    key: str
    seconds: float
    arguments: Sequence[str]
    timeout: float = LONGEST

    def about(self) -> Row:
        """What is known before it runs."""
        return {"command": self.arguments[0], "timeout": self.seconds}


BOX = ("--box", "0,1")

CASES = (
    Limited("wide: 784-256-256-1000", 5.0, ("groundtruth", "@wide", "@pixels", *BOX)),
    Limited("wide, L1", 5.0, ("groundtruth", "@wide", "@pixels", *BOX, "--norm", "l1")),
    Limited("wide, every class", 5.0, ("groundtruth", "@wide", "@pixels", *BOX, "--all-targets")),
    Limited("wide, two jobs", 5.0, ("groundtruth", "@wide", "@pixels", *BOX, "--jobs", "2")),
    Limited("deep: 784-4x512-10", 5.0, ("groundtruth", "@deep", "@pixels", *BOX)),
    Limited("large: 3x224x224", 5.0, ("groundtruth", "@large", "@big", *BOX)),
    Limited("large, L1", 5.0, ("groundtruth", "@large", "@big", *BOX, "--norm", "l1")),
    Limited("pooled: maximum of 2x2", 5.0, ("groundtruth", "@pooled", "@square", *BOX)),
    Limited("pooled, two jobs, L1", 5.0,
            ("groundtruth", "@pooled", "@square", *BOX, "--norm", "l1", "--jobs", "2")),
    Limited("descent", 5.0, ("groundtruth", "@deep", "@pixels", *BOX, "--search", "descent")),
    Limited("bisection", 5.0,
            ("groundtruth", "@deep", "@pixels", *BOX, "--search", "bisection", "--target", "1")),
    Limited("patch: first layer of 784-4x512-10", 5.0,
            ("patch", "@deep", "@pixels", "--want", "1", "--layer", "0", "--scale", "1")),
    Limited("patch: 3x224x224", 5.0,
            ("patch", "@large", "@big", "--want", "1", "--layer", "0", "--scale", "1")),
    Limited("patch, L1: every class of 1000", 5.0,
            ("patch", "@wide", "@pixels", "--want", "1", "--layer", "1", "--norm", "l1",
             "--scale", "1")),
    Limited("patch-attack: 3x224x224", 5.0, ("patch-attack", "@large", "@big", *BOX)),
    Limited("patch-attack: 784-4x512-10", 5.0, ("patch-attack", "@deep", "@pixels", *BOX)),
    Limited("verify: 784-256-256-1000", 5.0, ("verify", "@wide", "@near")),
    Limited("verify: 3x224x224", 5.0, ("verify", "@large", "@far")),
    Limited("two jobs, one class", 5.0,
            ("groundtruth", "example:mnist_3x24", "example:seven", "--target", "0", "--jobs",
             "2", "--tolerance", "1e-9")),
    Limited("oval_cifar_deep_kw", 20.0, ("groundtruth", "@cifar-network", "@cifar", *BOX)),
    Limited("oval_cifar_deep_kw, L1", 20.0,
            ("groundtruth", "@cifar-network", "@cifar", *BOX, "--norm", "l1")),
    *(Limited(f"patch ptime_1039 to {want}", 1.0,
              ("patch", "@tiny-network", "@tiny", "--want", str(want), "--layer", "0"))
      for want in range(3)),
)  # fmt: skip


def work(case: Limited) -> Row:
    """Make the files, and run one command."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [
            str(FILES[word[1:]](Path(folder), word[1:])) if word.startswith("@") else word
            for word in case.arguments
        ]
        return {**case.about(), **measured(arguments, case.seconds)}


def measured(arguments: Sequence[str], seconds: float) -> Row:
    """Run one command."""
    command = [sys.executable, "-m", "marapatch", *arguments, "--timeout", str(seconds)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    ended, out, err = True, "", ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
        code, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        ended, code = False, -1
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    lines = (out if code != 2 else err).strip().splitlines()
    return {
        "status": "done" if ended else "timeout",
        "seconds": round(wall, 2),
        "processor": round(processor, 2),
        "exit": code,
        "ended": ended,
        "answer": lines[0] if lines else "",
    }


def seconds_of(row: Row) -> float:
    """From the start of the command to its end."""
    return float(row["seconds"] if "seconds" in row else row["wall"])  # rows had no name for it


def is_kept(row: Row) -> bool:
    """Whether the command ended in time."""
    times, more = KEPT
    return bool(row["ended"]) and seconds_of(row) <= times * row["timeout"] + more


def report(rows: Sequence[Row], expected: int) -> str:
    """A line a command."""
    good = [row for row in rows if "ended" in row]
    lines = [
        (
            row["key"],
            row["command"],
            f"{row['timeout']:g}",
            f"{seconds_of(row):.1f}" if row["ended"] else f"> {LONGEST:g}",
            f"{row['processor']:.1f}",
            "yes" if is_kept(row) else "no",
        )
        for row in good
    ]
    header = ("case", "command", "--timeout", "wall s", "processor s", "kept")
    kept = sum(map(is_kept, good))
    return (
        f"{table(header, lines)}\nn = {len(rows)} of {expected}; failed {len(rows) - len(good)}; "
        f"kept (1 s and 10 %) {kept}.\n"
    )


SUITE = Suite(
    "limits",
    "whole commands on large questions: is --timeout kept?",
    lambda: CASES,
    work,
    report,
    open_ended=True,
)


def main() -> int:
    """Measure what is missing, or named; then print the table."""
    parser = parser_of(__doc__)
    parser.add_argument(
        "--case", action="append", metavar="NAME", help="cases that begin so, again"
    )
    options = parser.parse_args()
    suite, cases = SUITE, list(CASES)
    if options.case:
        cases = [case for case in cases if case.key.startswith(tuple(options.case))]
        named = {case.key for case in cases}
        suite = replace(SUITE, fresh=lambda row: row["key"] not in named)
    return main_of(suite, options, cases=cases)


if __name__ == "__main__":
    exit_with(main)
