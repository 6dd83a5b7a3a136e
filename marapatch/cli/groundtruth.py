"""``marapatch groundtruth``: the nearest input that changes a decision, with proof."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from marapatch.cli.options import (
    MAX_MEMORY,
    BoxOption,
    DecisionName,
    DecisionOption,
    EncodingName,
    ImageArgument,
    IndexOption,
    JsonOption,
    LabelOption,
    MarginOption,
    MaskOption,
    MaxMemoryOption,
    NetworkArgument,
    NodesOption,
    NormName,
    ScaleName,
    ScaleOption,
    SeedOption,
    TargetOption,
    TimeLimit,
    TimeoutOption,
    TotalTimeoutOption,
    read_given,
)
from marapatch.cli.signals import INTERRUPTED

EPILOG = """Examples:

marapatch groundtruth example:mnist_3x24 example:seven --target 3 --plot seven.png

marapatch groundtruth net.onnx t10k-images-idx3-ubyte.gz --index 0 --norm l1 --timeout 60

marapatch groundtruth acas.onnx point.csv --decision argmin --box prop_1.vnnlib --all-targets

Exit codes: 0 every bracket asked for is closed, 1 one is open, 2 bad input, 3 a backend failed,
4 contradiction, 130 interrupted by Ctrl-C, SIGTERM or SIGHUP (the bracket so far is printed and
written).
"""


class EvidenceName(StrEnum):
    """The weakest evidence that may move the lower bound."""

    SOLVER = "solver"
    BOUND = "bound"


def command(
    *,
    network: NetworkArgument,
    image: ImageArgument,
    norm: Annotated[NormName, typer.Option(help="How distance is measured.")] = NormName.LINF,
    target: TargetOption = None,
    all_targets: Annotated[
        bool, typer.Option("--all-targets", help="Close a bracket for each class.")
    ] = False,
    label: LabelOption = None,
    tolerance: Annotated[
        float, typer.Option(help="Closed at this gap, in units of the network's input.")
    ] = 1e-4,
    margin: MarginOption = 0.0,
    timeout: TimeoutOption = None,
    total_timeout: TotalTimeoutOption = None,
    nodes: NodesOption = None,
    query_timeout: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds for one query.")
    ] = None,
    box: BoxOption = None,
    mask: MaskOption = None,
    scale: ScaleOption = ScaleName.AUTO,
    index: IndexOption = None,
    decision: DecisionOption = DecisionName.ARGMAX,
    init: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Start from this input, for instance a witness."),
    ] = None,
    earlier: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Go on from a result of the same question (its --json): its witnesses are "
            "replayed, and its lower ends are taken at the file's word (evidence: file).",
        ),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="bisection (Algorithm 1 as published), descent or tree."),
    ] = None,
    encoding: Annotated[
        EncodingName, typer.Option(help="How the L1 ball is written.")
    ] = EncodingName.SPLIT,
    bounds: Annotated[
        bool, typer.Option("--bounds/--no-bounds", help="Write linear bounds into the queries.")
    ] = True,
    backend: Annotated[
        str, typer.Option(metavar="NAME", help="marabou, highs, or enumeration (tiny networks).")
    ] = "marabou",
    confirm: Annotated[
        bool | None,
        typer.Option(
            "--confirm/--no-confirm",
            help="Have HiGHS confirm every unsat of Marabou, which then counts up to 1e-6 below "
            "the radius asked instead of 1e-3; without: not under bisection, as published.",
        ),
    ] = None,
    evidence: Annotated[
        EvidenceName,
        typer.Option(help="The weakest evidence accepted for the lower bound."),
    ] = EvidenceName.SOLVER,
    jobs: Annotated[int, typer.Option(metavar="N", help="Processes to use.")] = 1,
    seed: SeedOption = 0,
    max_memory: MaxMemoryOption = MAX_MEMORY,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the nearest witness (.npy, the network's input type and shape); with "
            "--all-targets also FILE-K.npy for each class K.",
        ),
    ] = None,
    json_file: JsonOption = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw original, witness and difference (.png, .svg)."),
    ] = None,
    tree: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the search trees (.npz), checked and completed within --timeout; "
            "marapatch recheck works every leaf out anew.",
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Progress also where stderr is no terminal.")
    ] = False,
) -> None:
    """Find how near the nearest input is that changes the decision, and prove it.

    The answer is a bracket, lower and upper: nothing nearer than lower changes the decision
    (proved), and a witness at upper does (found, and evaluated again on the network as it is).
    """
    begun = monotonic()
    from marapatch.errors import InputError
    from marapatch.formats.inputs import check_fit, fit, read_image

    if all_targets and target is not None:
        raise InputError("--target and --all-targets exclude each other: leave one out")
    limit = TimeLimit(timeout, total_timeout, begun)
    given = read_given(network, image, index=index, scale=scale, box=box, mask=mask)
    first = None
    if init is not None:
        known = read_image(
            init, scale="1", check=lambda layout: check_fit(init, layout, given.network)
        )
        first = fit(known, given.network)

    # Half a second to import: a file that is refused does not wait for it.
    from marapatch.cli.live import LiveLine
    from marapatch.cli.outputs import Outputs, report
    from marapatch.groundtruth.api import ground_truth
    from marapatch.groundtruth.earlier import Earlier
    from marapatch.groundtruth.options import GroundTruthOptions
    from marapatch.problem.verdict import Evidence

    chosen = {} if search is None else {"search": search}
    options = GroundTruthOptions(
        tolerance=tolerance,
        margin=margin,
        timeout=limit.first,
        nodes=nodes,
        query_timeout=query_timeout,
        encoding=encoding.value,
        bounds=bounds,
        confirm=confirm,
        backend=backend,
        evidence=Evidence(evidence.value),
        jobs=jobs,
        seed=seed,
        record=tree is not None,
        **chosen,
    )
    each = range(given.network.outputs) if all_targets else ()
    outputs = Outputs(witness=out, report=json_file, picture=plot, tree=tree, each=each)
    more = (Path(file) for file in (init, earlier) if file is not None)
    outputs.check(inputs=(*given.paths, *more))
    with LiveLine(verbose=verbose, notes=given.start.notes) as live:
        result = ground_truth(
            given.network,
            given.start.x,
            norm=norm.value,
            label=label,
            target=target,
            each_target=all_targets,
            box=(given.start.lower, given.start.upper),
            mask=given.free,
            decision=decision.value,
            init=first,
            options=options,
            progress=live,
            started=limit.begun,
            earlier=None if earlier is None else Earlier.read(earlier),
        )
    report(result, outputs, given.image, index=index, decision=decision.value)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(0 if result.closed else 1)
