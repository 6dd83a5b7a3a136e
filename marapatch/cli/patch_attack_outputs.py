"""What ``marapatch patch-attack`` leaves behind beside its folder: files, and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from marapatch.cli.answer import answer
from marapatch.files.atomic_write import check_distinct, check_writable, write_whole
from marapatch.patch_attacks.dataset_run import DatasetRun
from marapatch.patch_attacks.folder import ROWS_A_PICTURE, draw
from marapatch.patch_attacks.report import Measures, remarks, summary, table
from marapatch.reporting.json_text import dump


@dataclass(frozen=True)
class PatchAttackOutputs:
    """What is written: a JSON ``report``, and a ``picture``.

    ``pictures``: how many images are drawn in the folder of the run.
    """

    report: Path | None = None
    picture: Path | None = None
    pictures: int = 0

    def check(self, read: Sequence[Path]) -> None:
        """Raise InputError where one cannot be written or would overwrite a file in use."""
        outputs = [path for path in (self.report, self.picture) if path is not None]
        if self.picture is not None:
            from marapatch.reporting.pictures import (
                check_format,  # matplotlib takes a second to import
            )

            check_format(self.picture)
        check_distinct(outputs, read)
        for path in outputs:
            check_writable(path)


def report(
    run: DatasetRun, measures: Measures, outputs: PatchAttackOutputs, *, interrupted: bool
) -> None:
    """Write the files asked for, then print the answer: it may be that nobody reads that."""
    content = run.content(measures, interrupted=interrupted)
    run.keep(content, outputs.pictures)
    if outputs.report is not None:
        rows = {**content, "images_done": [r.to_row() for r in run.known]}
        write_whole(outputs.report, dump(rows))
    found = [r for r in run.known if r.found]
    if outputs.picture is not None and found:
        draw(found[:ROWS_A_PICTURE], run.images.originals, run.images.shape, outputs.picture)
    _print(run, measures, interrupted=interrupted)
    if outputs.picture is not None and not measures.found:
        typer.echo(f"marapatch: nothing was found, so {outputs.picture} was not written", err=True)


def _print(run: DatasetRun, measures: Measures, *, interrupted: bool) -> None:
    records = run.known
    with answer(width=160) as console:
        if interrupted:
            console.print("interrupted; what is known so far:")
        for line in summary(records, measures):
            console.print(line)
        if measures.found:
            console.print(table(measures))
        for line in remarks(records, measures):
            console.print(line)
        if run.folder is not None and records:
            names = "rows.jsonl, results.csv, adversarial.npz, summary.json"
            console.print(f"{run.folder}: {names}")
