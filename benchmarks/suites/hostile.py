"""Hostile files: does every command refuse them, soon, in little memory, and in one line?

Each kind of file in tests/hostile_*.py is made with a seed in a folder of its own, and the command
``marapatch`` is run on it as a user would, in a process of its own. It must end with exit code 2
and one short line that names the file, and leave nothing behind. What is measured is the whole
process, from its start to its end: wall time, processor time and peak memory.

  python benchmarks/hostile.py                  every kind once
  python benchmarks/hostile.py --seeds 0 1 2    with several seeds: other files, other commands
  python benchmarks/hostile.py --kinds npz      the kinds whose name contains a word
  python benchmarks/hostile.py --report --write benchmarks/PERFORMANCE.md
                                                the table of what is known

One row a file in results/hostile.jsonl; a run that was stopped goes on where it ended. Exits with 1
where a file was not refused as it should be, or took more than 2 s of processor time or 500 MiB.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import monotonic, sleep

from _ground_truth_report import write
from _harness import ONE_THREAD, RESULTS, Row, Store, load_average, provenance, table

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from hostile_files import KINDS, contents, faults, hostile

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


def work(kind: str, seed: int) -> Row:
    """Make a file, run a command on it, and judge both."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        folder = Path(name) / "work"
        folder.mkdir()
        # In a process of its own: what a process takes counts from its parent's size on.
        with get_context("fork").Pool(1) as pool:
            case = pool.apply(hostile, (kind, seed, folder))
        before = contents(folder)
        run = measured(case.arguments, folder)
        wrong = faults(case, -1 if run.code is None else run.code, run.out, run.err)
        if contents(folder) != before:
            wrong.append("left something behind")
        if run.processor > SECONDS:
            wrong.append(f"{run.processor:.1f} s of processor time")
        if run.mebibytes > MEBIBYTES:
            wrong.append(f"{run.mebibytes:.0f} MiB")
    return {
        "kind": kind,
        "group": group(kind),
        "command": case.arguments[0],
        "code": run.code,
        "seconds": round(run.seconds, 3),
        "processor": round(run.processor, 3),
        "mebibytes": round(run.mebibytes, 1),
        "said": run.err.strip()[:500],
        "wrong": wrong,
        "status": "failed" if wrong else "refused",
    }


def report(rows: Sequence[Row]) -> str:
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
    sources = ", ".join(sorted({f"{row['marapatch']} ({row['source']})" for row in rows}))
    header = ("files", "kinds", "n", "failed", "exit codes", "worst s", "processor s", "worst MiB")
    return f"{table(header, lines)}\n{about}. marapatch {sources}.\n"


def main() -> int:
    """Run what is asked for, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="N")
    parser.add_argument("--kinds", default="", metavar="WORD", help="only kinds with this word")
    parser.add_argument("--report", action="store_true", help="only the table")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="put the table between its marks"
    )
    chosen = parser.parse_args()
    store = Store(RESULTS / "hostile.jsonl")
    if not chosen.report:
        done = {row["key"] for row in store.rows()}
        for seed in chosen.seeds:
            for kind in KINDS:
                key = f"{kind}/{seed}"
                if chosen.kinds in kind and key not in done:
                    row = work(kind, seed)
                    store.append({"key": key, **row, "load": load_average(), **provenance()})
                    if row["wrong"]:
                        print(f"{key}: {', '.join(row['wrong'])}: {row['said']}", flush=True)
    rows = store.rows()
    text = report(rows)
    if chosen.write is None:
        print(text)
    else:
        write(chosen.write, {"hostile": text})
    return int(any(row["status"] == "failed" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
