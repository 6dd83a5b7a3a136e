"""``marapatch verify``: a VNN-LIB property decided, with the competition's words."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from marapatch.cli.options import (
    MAX_MEMORY,
    MaxMemoryOption,
    NetworkArgument,
    NodesOption,
    SeedOption,
    TimeLimit,
    TotalTimeoutOption,
)
from marapatch.cli.signals import INTERRUPTED

if TYPE_CHECKING:
    from marapatch.network.graph import Network
    from marapatch.problem.specification import Property
    from marapatch.verification.api import Verification

EPILOG = """Examples:

marapatch verify ACASXU_run2a_1_1_batch_2000.onnx prop_3.vnnlib --timeout 60

marapatch verify net.onnx property.vnnlib.gz --counterexample result.txt --witness out.npy

Prints one word: sat (the property holds somewhere: a counterexample in the competition's sense),
unsat, timeout or unknown; after sat the counterexample. Why it is timeout or unknown, and what else
there is to know, is said on stderr. Where the property fixes an input at a number that the file's
type cannot hold, such as 0.1, the counterexample is the real-valued point, and onnxruntime is asked
at the nearest point of the file's type. Where the file ends in Softmax or LogSoftmax the property
is about what these give. Exit codes: 0 sat or unsat, 1 timeout or unknown, 2 bad input (the word is
error), 3 a backend failed, 4 a proof and a counterexample contradict each other, 130 interrupted by
Ctrl-C, SIGTERM or SIGHUP (the word is unknown).
"""

PropertyArgument = Annotated[
    Path, typer.Argument(metavar="PROPERTY", help="The property: a VNN-LIB 1 file (.vnnlib, .gz).")
]


def command(
    *,
    network: NetworkArgument,
    specification: PropertyArgument,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="Seconds for the property, the reading of both files included. Without: 116, or "
            "as --nodes says.",
        ),
    ] = None,
    total_timeout: TotalTimeoutOption = None,
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
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Progress on stderr, a line now and then.")
    ] = False,
    max_memory: MaxMemoryOption = MAX_MEMORY,
) -> int:
    """Decide a VNN-LIB property: is there an input with what the property says?"""
    begun = monotonic()
    import io

    import numpy as np

    from marapatch.errors import InputError, MarapatchError

    outputs = [path for path in (witness, counterexample_file) if path is not None]
    try:
        from marapatch.cli.heartbeat import Counted
        from marapatch.data.bundled import resolve
        from marapatch.files.atomic_write import check_distinct, check_writable, write_whole
        from marapatch.formats.vnnlib.reader import read_property
        from marapatch.network.load import load
        from marapatch.problem.verdict import Sat, witness_of
        from marapatch.solvers import create
        from marapatch.verification.api import verify
        from marapatch.verification.counterexample import counterexample, outputs_of

        limit = TimeLimit(timeout, total_timeout, begun)
        if nodes is not None and nodes < 1:
            raise InputError(f"--nodes {nodes}: give a number of at least 1")
        file = resolve(network, "network")
        net, wanted = load(file), read_property(specification)
        check_distinct(outputs, (Path(file), specification))
        for path in outputs:
            check_writable(path)
        solver = create(backend)
        with Counted(begun, verbose=verbose) as counted:
            try:
                result = verify(
                    net,
                    wanted,
                    solver,
                    limit.first,
                    seed=seed,
                    nodes=nodes,
                    started=begun,
                    progress=counted,
                )
            finally:
                solver.close()
    except MarapatchError:
        typer.echo("error")
        raise
    for remark in remarks(wanted, result, net):
        typer.echo(f"marapatch: {remark}", err=True)
    text = f"{result.status}\n"
    if isinstance(result.verdict, Sat):
        found = witness_of(result.verdict.witness)
        text += counterexample(found, outputs_of(net, found))
        if witness is not None:
            buffer = io.BytesIO()
            np.save(buffer, found.input)
            write_whole(witness, buffer.getvalue())
    typer.echo(text, nl=False)
    if counterexample_file is not None:
        write_whole(counterexample_file, text.encode())
    if result.interrupted:
        typer.echo(f"marapatch: interrupted after {result.nodes} sub-problems", err=True)
        return INTERRUPTED
    return 0 if result.status in ("sat", "unsat") else 1


def remarks(wanted: Property, result: Verification, network: Network) -> list[str]:
    """What there is to know beside the word, a line each."""
    from marapatch.problem.verdict import Sat, Unknown, witness_of

    found = []
    if wanted.empty and wanted.cases:
        found.append(f"note: {wanted.empty} cases with an empty input box were left out")
    elif wanted.empty:
        found.append("warning: the property's input box is empty, so it holds nowhere")
    match result.verdict:
        case Unknown(reason=reason):
            found.append(
                reason if reason.startswith(result.status) else f"{result.status}: {reason}"
            )
        case Sat(witness=witness) if witness_of(witness).exact is not None:
            kind = network.input_dtype.name
            asked = "could not be asked"
            if witness.confirmed:
                asked = "meets the property too, within the competition's tolerance of 1e-4"
            found.append(
                f"note: no {kind} vector is in the input box: the counterexample is the "
                f"real-valued point, evaluated exactly; onnxruntime, at the nearest {kind} "
                f"vector, {asked}"
            )
        case _:
            pass
    return found
