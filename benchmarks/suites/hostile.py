"""Hostile files: does every command refuse them, soon, in little memory, and in one line?

Each kind of file in tests/support/builders/hostile_*.py is made with a seed in a folder of its
own, and the command ``marapatch`` is run on it as a user would, in a process of its own. It must
end with exit code 2 and one short line that names the file, and leave nothing behind. What is
measured is the whole process, from its start to its end: wall time, processor time, peak memory.

  python -m benchmarks.suites.hostile                  every kind once
  python -m benchmarks.suites.hostile --seeds 0 1 2    with several seeds: other files and commands
  python -m benchmarks.suites.hostile --kinds npz      the kinds whose name contains a word
  python -m benchmarks.suites.hostile --report         the table of what is known

A run that was stopped goes on where it ended. Exits with 1 where a file was not refused as it
should be, or took more than 2 s of processor time or 500 MiB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import monotonic, sleep

from hostile_files import KINDS, contents, faults, hostile

from benchmarks.harness.command import Suite, exit_with, main_of, parser_of
from benchmarks.harness.markdown import sources, table
from benchmarks.harness.processes import ONE_THREAD
from benchmarks.harness.rows import Row

SECONDS, MEBIBYTES = 2.0, 500.0
"""What the refusal of a file may cost."""

LIMIT = 60.0
"""Seconds after which a command is killed: a row that failed."""

GROUPS = {
    "npy": "arrays (.npy)",
    "npz": "archives (.npz)",
    "idx": "idx files",
    "idx.gz": "idx files, gzipped",
    "png": "pictures (.png)",
    "csv": "tables (.csv)",
    ".nnet": "networks (.nnet)",
    "net.onnx.gz": "networks (.onnx.gz)",
    "property": "properties (.vnnlib)",
    "goals": "goals (.toml)",
    "list": "lists of goals",
    "trees": "recorded trees (.npz)",
    "results": "folders of results",
    "weights elsewhere": "networks with external data",
}


@dataclass(frozen=True)
class HostileFile:
    """The file of a ``kind`` that is drawn from ``seed``."""

    kind: str
    seed: int
    timeout: float = LIMIT

    @property
    def key(self) -> str:
        """Its name among the rows."""
        return f"{self.kind}/{self.seed}"

    def about(self) -> Row:
        """What is known before it runs."""
        return {"kind": self.kind, "group": group(self.kind)}


@dataclass(frozen=True)
class Measured:
    """How a command ended: its ``code`` (None: killed), what it printed, and what it took."""

    code: int | None
    out: str
    err: str
    seconds: float
    processor: float
    mebibytes: float


def group(kind: str) -> str:
    """What a kind of file is counted under."""
    if " in place of " in kind:
        return "paths to what is no file"
    return GROUPS.get(kind.partition(":")[0], "networks (.onnx)")


def measured(arguments: Sequence[str], folder: Path) -> Measured:
    """Run ``marapatch`` with ``arguments`` in ``folder``."""
    environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
    environment.pop("MARAPATCH_DEBUG", None)
    command = [sys.executable, "-m", "marapatch", *arguments]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = monotonic()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        code: int | None = None
        while monotonic() - started < LIMIT:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                break
            sleep(0.01)  # it takes most of a second to start
        else:
            process.kill()
            _, _, usage = os.wait4(process.pid, 0)
        seconds = monotonic() - started
        process.returncode = code if code is not None else -9  # it was waited for here
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    spent = usage.ru_utime + usage.ru_stime
    return Measured(code, texts[0], texts[1], seconds, spent, usage.ru_maxrss / 1024)


def work(case: HostileFile) -> Row:
    """Make a file, run a command on it, and judge both."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        folder = Path(name) / "work"
        folder.mkdir()
        # In a process of its own: what a process takes counts from its parent's size on.
        with get_context("fork").Pool(1) as pool:
            made = pool.apply(hostile, (case.kind, case.seed, folder))
        before = contents(folder)
        run = measured(made.arguments, folder)
        wrong = faults(made, -1 if run.code is None else run.code, run.out, run.err)
        if contents(folder) != before:
            wrong.append("left something behind")
        if run.processor > SECONDS:
            wrong.append(f"{run.processor:.1f} s of processor time")
        if run.mebibytes > MEBIBYTES:
            wrong.append(f"{run.mebibytes:.0f} MiB")
    return {
        **case.about(),
        "command": made.arguments[0],
        "code": run.code,
        "seconds": round(run.seconds, 3),
        "processor": round(run.processor, 3),
        "mebibytes": round(run.mebibytes, 1),
        "said": run.err.strip()[:500],
        "wrong": wrong,
        "status": "failed" if wrong else "refused",
        "error": ", ".join(wrong),
    }


def report(rows: Sequence[Row], _: int = 0) -> str:
    """The table: a line a group of kinds."""
    lines: list[list[object]] = []
    names = sorted({row["group"] for row in rows})
    for name in (*names, "all"):
        some = [row for row in rows if name in (row["group"], "all")]
        codes = sorted({str(row["code"]) for row in some})
        lines.append(
            [
                name,
                len({row["kind"] for row in some}),
                len(some),
                sum(row["status"] == "failed" for row in some),
                " ".join(codes),
                *(f"{max(row[of] for row in some):.2f}" for of in ("seconds", "processor")),
                f"{max(row['mebibytes'] for row in some):.0f}",
            ]
        )
    loads = sorted(row["load"] for row in rows if row["load"] is not None)
    about = f"n = {len(rows)}, {len({row['kind'] for row in rows})} kinds"
    if loads:
        about += f"; load average of the machine: median {loads[len(loads) // 2]:.1f}"
    made = ", ".join(name.removeprefix("marapatch ") for name in sorted(sources(rows)))
    header = ("files", "kinds", "n", "failed", "exit codes", "worst s", "processor s", "worst MiB")
    return f"{table(header, lines)}\n{about}. marapatch {made}.\n"


SUITE = Suite(
    "hostile",
    "files that nobody exported in earnest: refused, how soon, in how much memory",
    lambda: [HostileFile(kind, 0) for kind in KINDS],
    work,
    report,
    open_ended=True,
)


def main() -> int:
    """Run what is asked for, and print the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="N")
    parser.add_argument("--kinds", default="", metavar="WORD", help="only kinds with this word")
    options = parser.parse_args()
    cases = [
        HostileFile(kind, seed) for seed in options.seeds for kind in KINDS if options.kinds in kind
    ]
    return main_of(SUITE, options, cases=cases, wrong=lambda row: row["status"] == "failed")


if __name__ == "__main__":
    exit_with(main)
