"""Every suite at once: what is known of each, their pages anew, their rows compressed.

python -m benchmarks list      how many rows each suite has
python -m benchmarks report    write the tables of every suite onto its page
python -m benchmarks pack      compress the rows that runs have added
"""

from __future__ import annotations

import argparse

from benchmarks.harness.command import Suite, exit_with, say
from benchmarks.harness.markdown import write
from benchmarks.harness.rows import RESULTS, Rows, pack_all
from benchmarks.suites import (
    agreement,
    agreement_trees,
    attacks,
    ground_truth,
    hostile,
    limits,
    mutation,
    patch_attacks,
    patches,
    recheck_trees,
    soundness,
    tour,
    verify,
    wide_range,
)

SUITES: tuple[Suite, ...] = (
    *ground_truth.SUITES.values(),
    *patches.SUITES.values(),
    *patch_attacks.SUITES.values(),
    *(
        module.SUITE
        for module in (
            *(soundness, agreement_trees, agreement, recheck_trees, wide_range),
            *(verify, tour, hostile, limits),
        )
    ),
)


def main() -> int:
    """Do what is asked; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", choices=("list", "report", "pack"))
    match parser.parse_args().task:
        case "list":
            for path in sorted(RESULTS.glob("*.xz")):
                name = path.name.removesuffix(".jsonl.xz")
                say(f"{name:24} {len(Rows(name).all()):6} rows")
        case "report":
            write({suite.name: suite.text() for suite in SUITES})
            write({**attacks.texts(), **mutation.texts()})
        case _:
            for name in pack_all():
                say(f"{name}: compressed")
    return 0


if __name__ == "__main__":
    exit_with(main)
