"""The answer of a command on stdout, whole, or quietly not where nobody reads it."""

from __future__ import annotations

import os
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
    try:
        sys.stdout.write(captured.get())
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads on, as under `| head`: the answer is the exit code
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
