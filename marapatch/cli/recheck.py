"""``marapatch recheck``: check the recorded trees of a ground truth anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marapatch.cli.options import (
    MAX_MEMORY,
    IndexOption,
    JsonOption,
    MaxMemoryOption,
    NetworkArgument,
    ScaleName,
    ScaleOption,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from marapatch.certificates.check import Recheck
    from marapatch.certificates.file import Certificate

EPILOG = """Example:

marapatch groundtruth example:mnist_3x24 example:seven --target 3 --tree seven.npz

marapatch recheck seven.npz example:mnist_3x24 example:seven

Exit codes: 0 everything claimed was found true again, 1 some of it was not (also where it rests
on a solver's word, or is of another image than IMAGE), 2 bad input.
"""


def command(
    *,
    trees: Annotated[
        Path, typer.Argument(metavar="TREES", help="What groundtruth --tree wrote (.npz).")
    ],
    network: NetworkArgument,
    image: Annotated[
        str | None,
        typer.Argument(
            metavar="IMAGE",
            help="Say whether the trees are about this image (the kinds that groundtruth reads).",
            show_default=False,
        ),
    ] = None,
    index: IndexOption = None,
    scale: ScaleOption = ScaleName.AUTO,
    json_file: JsonOption = None,
    max_memory: MaxMemoryOption = MAX_MEMORY,
) -> None:
    """Work out every leaf of the recorded trees anew, without the code that grew them.

    The lower bound is the least radius up to which all leaves are refuted again, by bounds that
    are computed from the network and the recorded multipliers alone; the upper bound is the
    witness, evaluated again. A leaf that only a solver closed counts as far as its multipliers
    reach: what would hold if the solver was right is said apart.

    The image is named by the SHA-256 of its numbers as they enter the network: float64,
    little-endian, one after the other.
    """

    from marapatch.certificates.check import difference, recheck
    from marapatch.certificates.file import Certificate
    from marapatch.cli.progress_bar import progress_bar
    from marapatch.data.bundled import resolve
    from marapatch.errors import InputError
    from marapatch.files.atomic_write import check_distinct, check_writable, write_whole
    from marapatch.formats.inputs import fit, read_image
    from marapatch.network.load import load
    from marapatch.reporting.json_text import dump

    file = resolve(network, "network")
    net = load(file)
    certificate = Certificate.load(trees)
    picture = None if image is None else resolve(image, "image")
    given = None if picture is None else fit(read_image(picture, index, scale.value), net)
    if json_file is not None:
        check_distinct([json_file], [trees, *map(Path, filter(None, (file, picture)))])
        check_writable(json_file)
    with progress_bar() as bar:
        task = bar.add_task("nodes checked")
        try:
            result = recheck(
                certificate, net, lambda done, total: bar.update(task, completed=done, total=total)
            )
        except InputError as error:
            raise InputError(f"{trees}: {error}") from error
    entry = None if given is None else difference(certificate.ball, given, net)
    same = None if given is None else entry is None
    _print(certificate, result, net.outputs)
    if given is not None:
        typer.echo(f"{picture}: {_compared(entry, certificate.ball.centre, given)}")
    _conclude(result)
    if json_file is not None:
        write_whole(json_file, dump({**result.to_json(), "image_is_the_one": same}))
    raise typer.Exit(0 if result.verified and same is not False else 1)


def _print(certificate: Certificate, result: Recheck, outputs: int) -> None:
    from marapatch.reporting.rounded import rounded_down, rounded_up

    typer.echo(certificate.question)
    typer.echo(f"image: sha256 {result.image}")
    for target in result.targets:
        nodes = sum(tree.nodes for tree in target.trees)
        leaves = sum(tree.leaves for tree in target.trees)
        solver = ""
        if target.solver_certified:
            given, leaves_given = rounded_down(target.given), target.solver_certified
            solver = f"; up to {given} given {leaves_given} that a solver closed"
        typer.echo(
            f"target {target.target}: claimed {rounded_down(target.claimed)}, refuted again up to "
            f"{rounded_down(target.radius)} ({nodes} nodes, {leaves} leaves{solver})"
        )
    targets = {target.target for target in result.targets}
    others = sorted(set(range(outputs)) - targets)
    which = f"otherwise than {others[0]}" if len(others) == 1 else f"as {_listed(targets)}"
    bracket = f"[{rounded_down(result.lower)}, {rounded_up(result.upper)}]"
    typer.echo(f"the nearest input decided {which}: {bracket}")
    if result.witness_note:
        typer.echo(result.witness_note)


def _conclude(result: Recheck) -> None:
    if result.verified:
        typer.echo("what is claimed holds")
    elif result.verified_given:
        typer.echo("what is claimed holds ONLY IF a solver was right about the leaves it closed")
    else:
        typer.echo("what is claimed does NOT hold")


def _compared(entry: int | None, centre: NDArray[np.float64], given: NDArray[np.float64]) -> str:
    if entry is None:
        return "the image that the trees are about"
    return (
        f"NOT the image that the trees are about: entry {entry} is {given[entry]:.9g}, "
        f"theirs is {centre[entry]:.9g}"
    )


def _listed(targets: set[int]) -> str:
    return " or ".join(str(target) for target in sorted(targets))
