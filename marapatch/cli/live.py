"""The line that shows, while a search runs, how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

    from marapatch.groundtruth import Progress

SECONDS_BETWEEN_LINES = 5.0
"""At most one plain line in so many seconds, unless the bracket moved to another target."""


class LiveLine:
    """Shows progress on stderr: one line that is redrawn on a terminal, else plain lines now and
    then where ``verbose``. ``notes`` are printed once, before the first sign of progress.

    Use it as a context manager; call it with each :class:`~marapatch.groundtruth.Progress`.
    """

    def __init__(self, *, verbose: bool, notes: Sequence[str] = ()) -> None:
        self._notes = list(notes)
        self._verbose = verbose
        self._latest: Progress | None = None
        self._started = time.monotonic()
        self._last_line = (-1, -SECONDS_BETWEEN_LINES)
        self._stop: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._stop is not None:
            self._stop()
        if error is None:
            self._print_notes()

    def __call__(self, progress: Progress) -> None:
        self._print_notes()
        self._latest = progress
        if sys.stderr.isatty():
            self._start_display()
        elif self._verbose:
            target, when = self._last_line
            now = time.monotonic()
            if progress.target != target or now - when >= SECONDS_BETWEEN_LINES:
                self._last_line = (progress.target, now)
                typer.echo(self._text(), err=True)

    def __rich__(self) -> RenderableType:
        return self._text()

    def _print_notes(self) -> None:
        for note in self._notes:
            typer.echo(f"marapatch: {note}", err=True)
        self._notes.clear()

    def _start_display(self) -> None:
        if self._stop is None:
            from rich.console import Console
            from rich.live import Live

            display = Live(self, console=Console(stderr=True), transient=True, refresh_per_second=4)
            display.start()
            self._stop = display.stop

    def _text(self) -> str:
        from marapatch.report import rounded_down, rounded_up

        p = self._latest
        if p is None:
            return ""
        place = (
            f"target {p.target} ({min(p.targets_done + 1, p.targets_total)} of {p.targets_total}): "
        )
        bracket = f"{rounded_down(p.lower)} <= distance <= {rounded_up(p.upper)}"
        return f"{place}{bracket}, {p.queries} queries, {time.monotonic() - self._started:.0f} s"
