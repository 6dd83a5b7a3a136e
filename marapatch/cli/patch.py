"""``marapatch patch``: the least change of one layer after which inputs are decided as wanted."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from marapatch.cli.options import (
    MAX_MEMORY,
    DecisionName,
    DecisionOption,
    EncodingName,
    IndexOption,
    JsonOption,
    MaxMemoryOption,
    NetworkArgument,
    NodesOption,
    ScaleName,
    ScaleOption,
    SeedOption,
    TimeLimit,
    TimeoutOption,
    TotalTimeoutOption,
)
from marapatch.cli.signals import INTERRUPTED

EPILOG = """Examples:

marapatch patch net.onnx image.npy --want 3 --norm l1 -o patched.onnx

marapatch patch acas.onnx rows.csv --want "0|1" --decision argmin --layer all --json patch.json

marapatch patch net.onnx images.npz --want 3,5,7 --layer 1 --check mnist_test.npz

Exit codes: 0 every bracket is closed (or no patch exists, proved), 1 one is open, 2 bad input,
3 a backend failed, 4 contradiction, 130 interrupted by Ctrl-C, SIGTERM or SIGHUP (what is known is
printed and written).
"""


class PatchNorm(StrEnum):
    """How the size of a patch is measured."""

    LINF = "linf"
    L1 = "l1"
    L0 = "l0"


class EngineName(StrEnum):
    """The variables of the search."""

    AUTO = "auto"
    NEURONS = "neurons"
    WEIGHTS = "weights"


def command(
    *,
    network: NetworkArgument,
    inputs: Annotated[
        str,
        typer.Argument(
            metavar="INPUTS", help="One input or several: .npy, .npz, .npz:KEY, idx, .png or .csv."
        ),
    ],
    want: Annotated[
        str | None,
        typer.Option(
            metavar="LABELS",
            help="What each should be decided: 3 (every input), 3,5,0|1 (one an input; 0|1: one "
            "of these beats all others, 0&1: each of these), or a file with one a line.",
        ),
    ] = None,
    avoid: Annotated[
        str | None,
        typer.Option(metavar="LABELS", help="Classes not to be decided: 3, or 3,5|6,- an input."),
    ] = None,
    spec: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Goals as a .toml or .vnnlib file, instead."),
    ] = None,
    layer: Annotated[
        str,
        typer.Option(metavar="K|last|all", help="Which affine layer, counted from 0."),
    ] = "last",
    norm: Annotated[
        PatchNorm, typer.Option(help="linf: largest change, l1: their sum, l0: their number.")
    ] = PatchNorm.LINF,
    bias: Annotated[bool, typer.Option("--bias", help="The biases may change too.")] = False,
    margin: Annotated[
        float | None,
        typer.Option(
            help="By how much goals must be met: 1e-3 for classes, and 0 for linear conditions of "
            "a file, where not given."
        ),
    ] = None,
    decision: DecisionOption = DecisionName.ARGMAX,
    max_change: Annotated[
        float | None, typer.Option(metavar="A", help="No number may change by more than this.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A .npy mask in the weights' shape: 1 may change."),
    ] = None,
    scale: ScaleOption = ScaleName.AUTO,
    index: IndexOption = None,
    search: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="auto, tree, descent, or bisection (as published: one variable a weight, binary "
            "search over the backend's queries alone).",
        ),
    ] = "auto",
    engine: Annotated[
        EngineName, typer.Option(help="One variable a neuron (one input only), or a weight.")
    ] = EngineName.AUTO,
    encoding: Annotated[
        EncodingName, typer.Option(help="How the L1 ball is written.")
    ] = EncodingName.SPLIT,
    bounds: Annotated[
        bool | None,
        typer.Option("--bounds/--no-bounds", help="Let linear bounds help a bisection's queries."),
    ] = None,
    marks: Annotated[
        bool, typer.Option("--marks/--no-marks", help="Leave out changes that cannot help.")
    ] = True,
    backend: Annotated[
        str, typer.Option(metavar="NAME", help="marabou, highs, or enumeration (tiny networks).")
    ] = "marabou",
    timeout: TimeoutOption = None,
    total_timeout: TotalTimeoutOption = None,
    nodes: NodesOption = None,
    query_timeout: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds for one query.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="Closed at this gap, relative to the upper end.")
    ] = 1e-3,
    seed: SeedOption = 0,
    max_memory: MaxMemoryOption = MAX_MEMORY,
    check: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Also report accuracy before and after on this .npz (images, labels).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write the patched network (.onnx)."),
    ] = None,
    json_file: JsonOption = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the change, or the brackets by layer."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Progress on stderr.")] = False,
) -> None:
    """Find the least change of one layer's weights after which inputs are decided as wanted.

    The answer is a bracket, lower and upper: no smaller change of the layer will do (proved), and
    a patch of size upper does (as written to the file, and judged on every input).
    """
    begun = monotonic()
    from marapatch.cli.patch_inputs import read_check, read_goals_given, read_inputs, read_mask_of
    from marapatch.cli.patch_layers import each_layer
    from marapatch.cli.patch_outputs import PatchLine, PatchOutputs, report
    from marapatch.data.bundled import resolve
    from marapatch.errors import InputError
    from marapatch.network.load import load
    from marapatch.patching.api import MAX_INPUTS, minimal_patch
    from marapatch.patching.options import PatchOptions
    from marapatch.patching.patch import Patch
    from marapatch.patching.sparse import sparse_patch
    from marapatch.problem.conditions import Rule

    if layer == "all" and weights is not None:
        raise InputError("--weights fits one layer only: give --layer K")
    limit = TimeLimit(timeout, total_timeout, begun)
    options = PatchOptions(
        tolerance=tolerance,
        timeout=timeout,
        nodes=nodes,
        query_timeout=query_timeout,
        search=search,
        engine=engine.value,
        encoding=encoding.value,
        backend=backend,
        bounds=bounds,
        marks=marks,
        seed=seed,
    )
    rule = Rule(decision.value)
    path, where = resolve(network, "network"), resolve(inputs, "image")
    net = load(path)
    given = read_inputs(where, net, index=index, scale=scale.value, most=MAX_INPUTS)
    goals = read_goals_given(
        want,
        avoid,
        spec,
        inputs=len(given),
        outputs=net.outputs,
        rule=rule,
        margin=margin,
        transform=net.output_transform,
    )
    mask = None if weights is None else read_mask_of(weights, net)
    labelled = None if check is None else read_check(check, net, scale=scale.value)
    outputs = PatchOutputs(network=out, report=json_file, picture=plot)
    read = [Path(file) for file in (path, where, spec, weights, check) if file is not None]
    outputs.check(read)
    numbers: list[int | str] = [layer]
    if layer == "all":
        numbers = list(range(len(net.affine_layers)))
    minimise = sparse_patch if norm is PatchNorm.L0 else minimal_patch
    with PatchLine(verbose=verbose) as line:

        def patched(number: int | str, seconds: float | None, started: float | None) -> Patch:
            return minimise(
                net,
                given,
                goals,
                layer=number,
                bias=bias and _has_bias(net, number, only=layer != "all"),
                max_change=max_change,
                mask=mask,
                options=replace(options, timeout=seconds),
                started=started,
                progress=line,
                **({} if norm is PatchNorm.L0 else {"norm": norm.value}),  # type: ignore[arg-type]
            )

        patches, interrupted = each_layer(numbers, limit, patched)
    if patches:
        report(patches, outputs, labelled, rule, every=layer == "all")
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    complete = len(patches) == len(numbers) and all(patch.closed for patch in patches)
    raise typer.Exit(0 if complete else 1)


def _has_bias(net: object, number: int | str, *, only: bool) -> bool:
    """Whether the layer has a bias to change; asked of one layer only, it must have (checked
    where the changes are made)."""
    from marapatch.network.graph import Network

    assert isinstance(net, Network)  # for the type checker
    return only or net.affine_layers[int(number)].biases > 0
