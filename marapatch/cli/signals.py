"""Signals that ask a command to end: every command ends on them as it does on Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

NAMES = ("SIGTERM", "SIGHUP")
"""What a system, a batch queue or a closing terminal sends; Windows has only the first."""

INTERRUPTED = 130
"""The exit code after Ctrl-C and what counts as it."""


@contextmanager
def ending() -> Iterator[None]:
    """Within the block each of :data:`NAMES` raises KeyboardInterrupt, once: commands stop then,
    and print and write what they know, for which further ones leave them the time.

    One that this process was started to ignore (``nohup``) is still ignored. Where the terminal
    closes, what is written to it is lost and no error.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    terminals = [number for number in (1, 2) if _is_terminal(number)]
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    numbers = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]

    def interrupt(received: int, frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        if received == getattr(signal, "SIGHUP", None):
            _leave(terminals)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_terminal(number: int) -> bool:
    with suppress(OSError):
        return os.isatty(number)
    return False


def _leave(terminals: list[int]) -> None:
    """Nobody reads there any more, and writing would be an error."""
    for number in terminals:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
