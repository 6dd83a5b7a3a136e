"""``marapatch export``: a network with a property as a file for other solvers."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from marapatch.cli.options import NetworkArgument
from marapatch.cli.verify import PropertyArgument

EPILOG = """Examples:

marapatch export net.onnx property.vnnlib query.ipq

marapatch export net.onnx property.vnnlib query.smt2

The format follows the file's suffix: .ipq (Marabou; query.ipq.csv maps its variables), .smt2
(SMT-LIB, logic QF_LRA), .mps and .lp (mixed-integer program), .vnnlib (the property alone, in
normal form), .txt (marapatch's canonical text).
"""


class Format(StrEnum):
    """The suffixes that are written."""

    IPQ = ".ipq"
    SMTLIB = ".smt2"
    MPS = ".mps"
    LP = ".lp"
    VNNLIB = ".vnnlib"
    TEXT = ".txt"


def command(
    *,
    network: NetworkArgument,
    specification: PropertyArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file; its suffix is the format.")],
) -> int:
    """Write the query "is there an input with this property?" for another solver."""
    import tempfile

    from marapatch.backends.marabou import MarabouBackend
    from marapatch.bundled import resolve
    from marapatch.errors import InputError
    from marapatch.files import check_distinct, check_writable, write_whole
    from marapatch.formats import property_query, save_ipq, smtlib, vnnlib, write_milp
    from marapatch.network.load import load
    from marapatch.vnnlib import read_property

    if out.suffix not in list(Format):
        raise InputError(f"{out}: the suffix must be one of {', '.join(Format)}")
    form = Format(out.suffix)
    table = out.with_name(out.name + ".csv")
    file = resolve(network, "network")
    written = [out, table] if form is Format.IPQ else [out]
    check_distinct(written, (Path(file), specification))
    for path in written:
        check_writable(path)
    wanted = read_property(specification)
    if form is Format.VNNLIB:
        write_whole(out, vnnlib(wanted).encode())
        return 0
    query = property_query(load(file), wanted)
    match form:
        case Format.SMTLIB:
            write_whole(out, smtlib(query).encode())
        case Format.TEXT:
            write_whole(out, query.text.encode())
        case Format.MPS | Format.LP | Format.IPQ:
            with tempfile.TemporaryDirectory(prefix="marapatch-") as folder:
                part = Path(folder) / f"query{form.value}"
                if form is Format.IPQ:
                    with MarabouBackend() as backend:
                        write_whole(table, save_ipq(query, part, backend).encode())
                else:
                    write_milp(query, part)
                write_whole(out, part.read_bytes())
    sizes = f"{len(query.names)} variables, {len(query.rows)} rows"
    typer.echo(f"{out}: {sizes}, {len(query.piecewise)} piecewise-linear constraints")
    return 0
