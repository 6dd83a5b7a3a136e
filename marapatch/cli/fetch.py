"""``marapatch fetch``: benchmark data from their official addresses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EPILOG = "Examples: marapatch fetch | marapatch fetch acasxu | marapatch fetch mnist --to data"


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SET]...", help="Sets of data; without any: list them."),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Put the files below DIR instead of the user's cache."),
    ] = None,
) -> None:
    """Fetch benchmark networks, properties and images, checked by sha256.

    A copy that the environment variable MARAPATCH_DATA names is used first.
    """
    from marapatch.data.fetch import cache, data_sets, fetch
    from marapatch.errors import InputError

    sets = data_sets()
    if not names:
        for name, files in sets.items():
            typer.echo(f"{name:12} {len(files)} files")
        typer.echo(f"kept in {cache()}")
        return
    for name in names:
        if name not in sets:
            raise InputError(f"{name}: no such set of data; there are {', '.join(sets)}")
    for name in names:
        for file in sets[name]:
            path, how = fetch(file, to)
            typer.echo(f"{path}: {how}")
