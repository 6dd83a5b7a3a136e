"""How many small faults in the code that proves things do its tests notice?

Mutants of cosmic-ray's operators are drawn at random, by module and with a fixed seed, and each
module's own tests are run on each, in a copy of the tree.

  python -m benchmarks.suites.mutation --count 400 --jobs 2
  python -m benchmarks.suites.mutation --module 'marapatch/certificates/*.py'
  python -m benchmarks.suites.mutation --again     what survived once more (tests were added)
  python -m benchmarks.suites.mutation --report    the table of what is known

A run that was stopped goes on there. A mutant is *killed* where a test fails, or where one file of
its tests takes more than 60 seconds of processor time (those of the code as it is take a third of
that at most). cosmic-ray is the extra ``mutation``.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from benchmarks.harness.command import exit_with, parser_of, publish
from benchmarks.harness.rows import RESULTS, Rows
from benchmarks.reports.mutation import report

if TYPE_CHECKING:
    from benchmarks.suites.mutants import Mutant

NAME = "mutation"
COPIED = ("marapatch", "encodings", "tests", "benchmarks", "docs", "pyproject.toml", "README.md")


def texts(folder: Path = RESULTS) -> dict[str, str]:
    """The table."""
    return {NAME: report(Rows(NAME, folder).all())}


def main() -> int:
    """Run what is missing, and print the table."""
    parser = parser_of(__doc__)
    add = parser.add_argument
    add("--count", type=int, default=400, help="mutants drawn")
    add("--module", default="*", help="those of modules that match, as 'marapatch/bounds/*.py'")
    options = parser.parse_args()
    rows = Rows(NAME, options.results)
    if not options.report:
        if options.again:
            rows.forget(lambda row: row["outcome"] == "survived")
        done = rows.keys()
        from benchmarks.suites.mutants import drawn  # noqa: PLC0415  # an extra

        todo = [m for m in drawn(options.count, options.module) if m.key not in done]
        _run(todo[: options.limit], options.jobs, rows)
    publish(texts(options.results), onto_page=options.write)
    return 0


def _run(todo: Sequence[Mutant], jobs: int, rows: Rows) -> None:
    from benchmarks.suites.mutants import ROOT, judged  # noqa: PLC0415  # an extra

    folders: SimpleQueue[Path] = SimpleQueue()
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(jobs) as pool:
        for number in range(jobs):
            folder = Path(place) / str(number)
            for part in COPIED:
                source = ROOT / part
                if source.is_dir():
                    shutil.copytree(source, folder / part, dirs_exist_ok=True)
                else:
                    shutil.copy(source, folder / part)
            folders.put(folder)

        def one(mutant: Mutant) -> None:
            folder = folders.get()
            try:
                row = judged(mutant, folder)
            finally:
                folders.put(folder)
            rows.append(row)
            print(f"{row['outcome']:8} {mutant.key}", flush=True)

        list(pool.map(one, todo))


if __name__ == "__main__":
    exit_with(main)
