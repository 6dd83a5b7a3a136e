"""One layer after the other is patched, for as long as there is time and nobody interrupts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

from marapatch.cli.options import TimeLimit
from marapatch.patching.patch import Patch

Layer = int | str


def each_layer(
    numbers: Sequence[Layer],
    limit: TimeLimit,
    patched: Callable[[Layer, float | None, float | None], Patch],
) -> tuple[list[Patch], bool]:
    """The patches of the layers ``numbers`` that there was time for, and whether it was
    interrupted; what was left out is said on stderr.

    ``patched``: the layer's patch, given the seconds for it and when these began (None: now).
    """
    found: list[Patch] = []
    for place, number in enumerate(numbers):
        if place and limit.over:
            typer.echo(
                f"marapatch: out of time before layer {number}, as --total-timeout says", err=True
            )
            break
        try:
            found.append(patched(number, *limit.of(place)))
        except KeyboardInterrupt:  # before anything is known of this layer
            typer.echo(f"marapatch: interrupted before layer {number}", err=True)
            return found, True
        if found[-1].interrupted:
            return found, True
    return found, False
