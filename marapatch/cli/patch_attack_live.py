"""How far ``marapatch patch-attack`` is, on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterable
from statistics import median

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from marapatch.cli.heartbeat import SECONDS_BETWEEN_LINES
from marapatch.cli.progress_bar import progress_bar
from marapatch.patch_attacks.records import NOT_FOUND, Record


class Live:
    """A bar on a terminal, else a plain line now and then where ``verbose``.

    Call it with each finished record, within ``with live.bar``; ``done``: those of an earlier run.
    """

    def __init__(self, total: int, done: Iterable[Record], *, verbose: bool) -> None:
        self._total = total
        self._records = list(done)
        self._verbose = verbose
        self._last = -SECONDS_BETWEEN_LINES
        self.bar = progress_bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self._task = self.bar.add_task(self._text(), total=total, completed=len(self._records))

    def __call__(self, record: Record) -> None:
        self._records.append(record)
        self.bar.update(self._task, advance=1, description=self._text())
        now = time.monotonic()
        if self._verbose and self.bar.disable and now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            typer.echo(f"{len(self._records)} of {self._total} images: {self._text()}", err=True)

    def _text(self) -> str:
        sizes = [r.l0 for r in self._records if r.l0 is not None]
        failed = sum(r.status == NOT_FOUND for r in self._records)
        tail = f", {median(sizes):g} values in the median" if sizes else ""
        return f"found {len(sizes)} of {len(sizes) + failed}{tail}"
