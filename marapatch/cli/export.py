"""``marapatch export``: a network with a property as a file for other solvers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marapatch.cli.options import MAX_MEMORY, MaxMemoryOption, NetworkArgument
from marapatch.cli.verify import PropertyArgument

EPILOG = """Examples:

marapatch export net.onnx property.vnnlib query.ipq

marapatch export net.onnx property.vnnlib query.smt2

The format follows the file's suffix: .ipq (Marabou, which keeps ten decimals a number;
query.ipq.csv maps its variables), .smt2 (SMT-LIB, logic QF_LRA, exact), .mps and .lp
(mixed-integer program), .vnnlib (the property alone, in normal form, exact), .txt (marapatch's
canonical text). Of a property's numbers all but .vnnlib have the nearest float64, and strict
comparisons become closed ones. Where the file ends in Softmax or LogSoftmax only conditions that
are linear in the scores before it, such as orders, can be written.
"""


PROPERTY = ".vnnlib"


def command(
    *,
    network: NetworkArgument,
    specification: PropertyArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file; its suffix is the format.")],
    max_memory: MaxMemoryOption = MAX_MEMORY,
) -> int:
    """Write the query "is there an input with this property?" for another solver."""
    from marapatch.data.bundled import resolve
    from marapatch.errors import InputError
    from marapatch.files.atomic_write import check_outputs, write_whole
    from marapatch.formats import SUFFIXES, files_of, property_query, vnnlib_text, write_query
    from marapatch.formats.vnnlib.reader import read_property
    from marapatch.network.load import load

    known = (*SUFFIXES, PROPERTY)
    if out.suffix not in known:
        raise InputError(f"{out}: the suffix must be one of {', '.join(known)}")
    file = resolve(network, "network")
    check_outputs(files_of(out), (Path(file), specification))
    wanted = read_property(specification)
    if out.suffix == PROPERTY:
        write_whole(out, vnnlib_text(wanted).encode())
        return 0
    query = property_query(load(file), wanted)
    write_query(query, out)
    sizes = f"{len(query.names)} variables, {len(query.rows)} rows"
    typer.echo(f"{out}: {sizes}, {len(query.piecewise)} piecewise-linear constraints")
    return 0
