"""The answer of a command on stdout, whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def answer(width: int | None = None) -> Iterator[Console]:
    """A console whose text goes to stdout when the block ends without an error."""
    console = Console(highlight=False, soft_wrap=True, markup=False, width=width)
    with console.capture() as captured:
        yield console
    sys.stdout.write(captured.get())


def queries_asked(number: int) -> str:
    """``1 query``, ``2 queries``."""
    return f"{number} {'query' if number == 1 else 'queries'}"
