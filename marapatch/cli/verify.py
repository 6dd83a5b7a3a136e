"""``marapatch verify``: a VNN-LIB property decided, with the competition's words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from marapatch.cli.options import (
    MAX_MEMORY,
    MaxMemoryOption,
    NetworkArgument,
    NodesOption,
    SeedOption,
)

EPILOG = """Examples:

marapatch verify ACASXU_run2a_1_1_batch_2000.onnx prop_3.vnnlib --timeout 60

marapatch verify net.onnx property.vnnlib --counterexample result.txt --witness out.npy

Prints one word: sat (the property holds somewhere: a counterexample in the competition's sense),
unsat, timeout or unknown; after sat the counterexample. Exit codes: 0 sat or unsat, 1 timeout or
unknown, 2 bad input (the word is error), 3 a backend failed.
"""

PropertyArgument = Annotated[
    Path, typer.Argument(metavar="PROPERTY", help="The property: a VNN-LIB 1 file (.vnnlib).")
]


def command(
    *,
    network: NetworkArgument,
    specification: PropertyArgument,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="S", help="Seconds for everything; without: 116, or as --nodes says."),
    ] = None,
    nodes: NodesOption = None,
    witness: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the input found (.npy, the network's type)."),
    ] = None,
    counterexample_file: Annotated[
        Path | None,
        typer.Option(
            "--counterexample", metavar="FILE", help="Write word and counterexample here too."
        ),
    ] = None,
    backend: Annotated[
        str, typer.Option(metavar="NAME", help="Who decides what bounds leave open.")
    ] = "marabou",
    seed: SeedOption = 0,
    max_memory: MaxMemoryOption = MAX_MEMORY,
) -> int:
    """Decide a VNN-LIB property: is there an input with what the property says?"""
    import io

    import numpy as np

    from marapatch.errors import InputError, MarapatchError

    outputs = [path for path in (witness, counterexample_file) if path is not None]
    try:
        from marapatch.backends import create
        from marapatch.bundled import resolve
        from marapatch.files import check_distinct, check_writable, write_whole
        from marapatch.network.load import load
        from marapatch.verdict import Sat
        from marapatch.verification import counterexample, outputs_of, verify
        from marapatch.vnnlib import read_property

        if timeout is not None and not 0.0 < timeout < float("inf"):
            raise InputError(f"--timeout {timeout}: give a positive number of seconds")
        if nodes is not None and nodes < 1:
            raise InputError(f"--nodes {nodes}: give a number of at least 1")
        file = resolve(network, "network")
        net, wanted = load(file), read_property(specification)
        check_distinct(outputs, (Path(file), specification))
        for path in outputs:
            check_writable(path)
        solver = create(backend)
        try:
            result = verify(net, wanted, solver, timeout, seed=seed, nodes=nodes)
        finally:
            solver.close()
    except MarapatchError:
        typer.echo("error")
        raise
    text = f"{result.word}\n"
    if isinstance(result.verdict, Sat):
        found = result.verdict.witness
        text += counterexample(found, outputs_of(net, found))
        if witness is not None:
            buffer = io.BytesIO()
            np.save(buffer, found.input)
            write_whole(witness, buffer.getvalue())
        if found.confirmed is False:
            typer.echo("marapatch: warning: onnxruntime, in single precision, differs", err=True)
    typer.echo(text, nl=False)
    if counterexample_file is not None:
        write_whole(counterexample_file, text.encode())
    return 0 if result.word in ("sat", "unsat") else 1
