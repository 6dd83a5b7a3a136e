"""The bar that shows how far a command is: on a terminal only."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import Progress, ProgressColumn


def progress_bar(*columns: str | ProgressColumn) -> Progress:
    """A bar on stderr that is gone when it ends; where stderr is no terminal nothing is written.

    ``columns``: rich's own where there are none.
    """
    hidden = not sys.stderr.isatty()
    # Before rich 14.3 a disabled bar ends with an empty line all the same: its console is quiet.
    console = Console(stderr=True, quiet=hidden)
    return Progress(*columns, console=console, transient=True, disable=hidden)
