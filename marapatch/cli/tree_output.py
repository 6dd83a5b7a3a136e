"""The trees of a ground truth, checked once and written."""

from __future__ import annotations

from math import inf
from pathlib import Path
from time import monotonic

import typer

from marapatch.cli.progress_bar import progress_bar
from marapatch.groundtruth.certificate import certificate_of
from marapatch.groundtruth.result import GroundTruth

LATER = 0.05
"""The share of ``--timeout`` that the check may take beyond it."""


def write_trees(result: GroundTruth, path: Path) -> None:
    """Write the recorded trees of ``result``, completed as far as its limit of time allows.

    Where time ran out, or the search was interrupted, the rest stands as the search left it: what
    ``marapatch recheck`` then makes of it may be less, and this says so on stderr.
    """
    limit = result.options.timeout
    left = inf if limit is None else max(limit - result.seconds, 0.0) + LATER * limit
    until = -inf if result.interrupted else monotonic() + left
    checked = [0, sum(len(tree) > 0 for target in result.targets for tree in target.trees)]
    with progress_bar() as bar:
        task = bar.add_task("checking the trees")

        def watch(done: int, total: int) -> None:
            checked[:] = done, total
            bar.update(task, completed=done, total=total)

        certificate = certificate_of(result, until, watch)
    certificate.save(path)
    if checked[0] < checked[1]:
        typer.echo(
            f"marapatch: {path}: not every leaf was checked in the time given, so recheck may "
            "prove less than was claimed",
            err=True,
        )
