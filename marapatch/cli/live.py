"""The line that shows, while a search runs, how far it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Self

import typer

from marapatch.cli.heartbeat import Heartbeat

if TYPE_CHECKING:
    from rich.console import RenderableType

    from marapatch.groundtruth.result import Progress


class LiveLine:
    """Shows progress on stderr: one line that is redrawn on a terminal, else plain lines now and
    then where ``verbose``. ``notes`` are printed once, before the first sign of progress.

    Seconds go on while one long query runs. Use it as a context manager; call it with each
    :class:`~marapatch.groundtruth.result.Progress`.
    """

    def __init__(self, *, verbose: bool, notes: Sequence[str] = ()) -> None:
        self._notes = list(notes)
        self._latest: Progress | None = None
        self._started = monotonic()
        self._stop: Callable[[], None] | None = None
        plain = verbose and not sys.stderr.isatty()
        self._lines = Heartbeat(self._text, shown=plain)

    def __enter__(self) -> Self:
        self._lines.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lines.__exit__(kind, error, traceback)
        if self._stop is not None:
            self._stop()
        if error is None:
            self._print_notes()

    def __call__(self, progress: Progress) -> None:
        self._print_notes()
        another = self._latest is None or self._latest.target != progress.target
        self._latest = progress
        if sys.stderr.isatty():
            self._start_display()
        else:
            self._lines.tell(always=another)

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
        from marapatch.reporting.rounded import rounded_down, rounded_up

        p = self._latest
        if p is None:
            return f"first bounds, {monotonic() - self._started:.0f} s"
        place = (
            f"target {p.target} ({min(p.targets_done + 1, p.targets_total)} of {p.targets_total}): "
        )
        bracket = f"{rounded_down(p.lower)} <= distance <= {rounded_up(p.upper)}"
        return f"{place}{bracket}, {p.queries} queries, {monotonic() - self._started:.0f} s"
