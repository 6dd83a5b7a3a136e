"""A line on stderr now and then, also while one long step tells nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Self

import typer

SECONDS_BETWEEN_LINES = 5.0
"""At most one line of progress in so many seconds."""

SILENCE = 10.0
"""Seconds without a line after which there is one all the same."""


class Heartbeat:
    """Prints ``text()`` on stderr where :meth:`tell` says so, and after :data:`SILENCE` seconds
    without it, from a thread of its own. Without ``shown`` it does nothing.

    Use it as a context manager.
    """

    def __init__(self, text: Callable[[], str], *, shown: bool, silence: float = SILENCE) -> None:
        self._text, self._shown, self._silence = text, shown, silence
        self._stopped = threading.Event()
        self._told = threading.Event()
        self._last = -SECONDS_BETWEEN_LINES
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        if self._shown:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._told.set()
        if self._thread.is_alive():
            self._thread.join()

    def tell(self, *, always: bool = False) -> None:
        """Print a line, unless the last is younger than :data:`SECONDS_BETWEEN_LINES` (``always``:
        even then)."""
        now = monotonic()
        if self._shown and (always or now - self._last >= SECONDS_BETWEEN_LINES):
            self._last = now
            typer.echo(self._text(), err=True)
            self._told.set()

    def _beat(self) -> None:
        while not self._stopped.is_set():
            if not self._told.wait(self._silence):
                typer.echo(self._text(), err=True)
            self._told.clear()


class Counted(Heartbeat):
    """Prints how many sub-problems were bounded, now and then where ``verbose``; called with their
    number. ``begun``: when the command was, by the monotonic clock."""

    def __init__(self, begun: float, *, verbose: bool) -> None:
        super().__init__(self._progress, shown=verbose)
        self._begun = begun
        self._count = 0

    def __call__(self, count: int) -> None:
        self._count = count
        self.tell()

    def _progress(self) -> str:
        return f"{self._count} sub-problems, {monotonic() - self._begun:.0f} s"
