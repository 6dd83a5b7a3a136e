"""How far ``marapatch patch-attack`` is, on stderr."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from marapatch.cli.heartbeat import Heartbeat
from marapatch.cli.progress_bar import progress_bar
from marapatch.patch_attacks.records import NOT_FOUND, Record


class Live:
    """A bar on a terminal, else a plain line now and then where ``verbose``.

    A context manager, called with each finished record; ``done``: those of an earlier run.
    """

    def __init__(self, total: int, done: Iterable[Record], *, verbose: bool) -> None:
        self._total = total
        self._records = list(done)
        self._bar = progress_bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self._task = self._bar.add_task(self._text(), total=total, completed=len(self._records))
        self._lines = Heartbeat(self._line, shown=verbose and self._bar.disable)

    def __enter__(self) -> Self:
        self._bar.__enter__()
        self._lines.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lines.__exit__(kind, error, traceback)
        self._bar.__exit__(kind, error, traceback)

    def __call__(self, record: Record) -> None:
        self._records.append(record)
        self._bar.update(self._task, advance=1, description=self._text())
        self._lines.tell()

    def _line(self) -> str:
        return f"{len(self._records)} of {self._total} images: {self._text()}"

    def _text(self) -> str:
        sizes = [r.l0 for r in self._records if r.l0 is not None]
        failed = sum(r.status == NOT_FOUND for r in self._records)
        tail = f", {median(sizes):g} values in the median" if sizes else ""
        return f"found {len(sizes)} of {len(sizes) + failed}{tail}"
