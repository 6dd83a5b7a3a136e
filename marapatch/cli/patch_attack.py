"""``marapatch patch-attack``: adversarial inputs by way of patches, for an image or a data set."""

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
    IndexOption,
    MaxMemoryOption,
    NetworkArgument,
    NormName,
    ScaleName,
    ScaleOption,
    SeedOption,
    TargetOption,
    TimeLimit,
    TimeoutOption,
    TotalTimeoutOption,
)
from marapatch.cli.patch import PatchNorm
from marapatch.cli.signals import INTERRUPTED

EPILOG = """How it works: a small patch of the middle layer changes the decision; what the patch
does to that layer becomes the goal of the half before it, and so on to the first layer; then an
input is found that does the same with the original weights (Khan, Madhukar, Sharma: AIGENT). Every
adversarial input is evaluated again on the network as it is. The stages are in the results.

Examples:

marapatch patch-attack example:mnist_3x24 example:seven

marapatch patch-attack net.onnx mnist_test.npz --labels mnist_test.npz --limit 500 -o attacked

marapatch patch-attack net.onnx image.npy --target 3 --minimise linf --max-pixel 0.3 --plot a.png

marapatch patch-attack net.onnx test.npz -o attacked --transfer hardened.onnx

The folder of -o: rows.jsonl grows by a line an image, and the same command again does what is
left, so that nothing finished is lost; results.csv, adversarial.npz (exact numbers), summary.json
and grid-1.png ... are written at the end.

Exit codes: 0 one was found for every image, 1 not for every image (which proves nothing), 2 bad
input, 3 a backend failed, 130 interrupted by Ctrl-C, SIGTERM or SIGHUP (finished images are kept).
"""


class PhasesName(StrEnum):
    """What the ReLUs may do in a stage."""

    FREE = "free"
    FIXED = "fixed"
    LINEAR = "linear"


def command(
    *,
    network: NetworkArgument,
    images: Annotated[
        str,
        typer.Argument(
            metavar="IMAGES",
            help="One image or many: .npy, .npz, .npz:KEY, idx, .png, .csv or example:NAME.",
        ),
    ],
    target: TargetOption = None,
    minimise: Annotated[
        PatchNorm,
        typer.Option(help="l0: the fewest values, l1: their sum, linf: the largest change."),
    ] = PatchNorm.L0,
    phases: Annotated[
        PhasesName,
        typer.Option(
            help="free: ReLUs take whatever phase they need; fixed: that of the image (as "
            "published); linear: lines learnt from --samples replace them."
        ),
    ] = PhasesName.FREE,
    max_pixel: Annotated[
        float, typer.Option("--max-pixel", metavar="A", help="No value may change by more.")
    ] = 1.0,
    margin: Annotated[
        float, typer.Option(help="By how much the target must lead every other class.")
    ] = 1e-4,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="What the images show: .npy, idx, or an .npz with an array labels. Images that "
            "the network decides otherwise already are left alone and not counted.",
        ),
    ] = None,
    index: IndexOption = None,
    limit: Annotated[int | None, typer.Option(metavar="N", help="Only the first N images.")] = None,
    timeout: TimeoutOption = None,
    total_timeout: TotalTimeoutOption = None,
    fallback: Annotated[
        bool,
        typer.Option("--fallback/--no-fallback", help="Search directly where halving fails."),
    ] = True,
    shrink: Annotated[
        bool, typer.Option("--shrink/--no-shrink", help="Make smaller what was found.")
    ] = True,
    targets: Annotated[
        int, typer.Option(metavar="N", help="How many classes are tried without --target.")
    ] = 3,
    patch_norm: Annotated[
        NormName, typer.Option(help="How the patches between are measured.")
    ] = NormName.LINF,
    samples: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Images from which --phases linear learns its lines."),
    ] = None,
    backend: Annotated[
        str,
        typer.Option(metavar="NAME", help="highs; or who answers every query, as marabou."),
    ] = "highs",
    box: BoxOption = None,
    scale: ScaleOption = ScaleName.AUTO,
    decision: DecisionOption = DecisionName.ARGMAX,
    seed: SeedOption = 0,
    max_memory: MaxMemoryOption = MAX_MEMORY,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Keep everything here; goes on later."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the results as JSON.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the first ten found (.png, .svg, .pdf)."),
    ] = None,
    pictures: Annotated[
        int, typer.Option(metavar="N", help="How many are drawn in the folder of -o.")
    ] = 20,
    features: Annotated[
        str | None,
        typer.Option(
            metavar="FILE[:LAYER]",
            help="For the Frechet distance: an ONNX file (Inception, say) and a node or tensor of "
            "it. Without: what enters the network's own last layer.",
        ),
    ] = None,
    transfer: Annotated[
        str | None,
        typer.Option(metavar="NET2", help="Also say how many change the decision of this network."),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Progress also where stderr is no terminal.")
    ] = False,
) -> None:
    """Find adversarial inputs by way of patches, and measure them.

    For each image: an input near it that is decided otherwise (or as --target), inside the box.
    None found proves nothing; marapatch groundtruth says how near one can be.
    """
    begun = monotonic()
    from marapatch.cli.patch_attack_inputs import (
        read_features,
        read_images,
        read_other,
        read_samples,
    )
    from marapatch.cli.patch_attack_live import Live
    from marapatch.cli.patch_attack_outputs import PatchAttackOutputs, report
    from marapatch.data.bundled import resolve
    from marapatch.errors import InputError
    from marapatch.network.load import load
    from marapatch.patch_attacks.api import PatchAttackOptions
    from marapatch.patch_attacks.dataset_run import DatasetRun
    from marapatch.problem.conditions import Rule

    time_limit = TimeLimit(timeout, total_timeout, begun)
    if pictures < 0:
        raise InputError(f"--pictures {pictures}: give 0 or more")
    network, images = resolve(network, "network"), resolve(images, "image")
    net = load(network)
    options = PatchAttackOptions(
        minimise=minimise.value,
        phases=phases.value,
        max_pixel=max_pixel,
        margin=margin,
        backend=backend,
        timeout=timeout,
        patch_norm=patch_norm.value,
        fallback=fallback,
        shrink=shrink,
        samples=read_samples(samples, net, scale.value),
        targets=targets,
        seed=seed,
    )
    given, notes = read_images(
        images,
        net,
        index=index,
        limit=limit,
        scale=scale.value,
        box=box,
        labels=None if labels is None else resolve(labels, "image"),
    )
    seen, other = read_features(features, net), read_other(transfer, net)
    outputs = PatchAttackOutputs(report=json_file, picture=plot, pictures=pictures)
    read = (network, images, labels, samples, box, transfer)
    outputs.check([Path(file) for file in read if file is not None])
    run = DatasetRun(net, given, options, target, Rule(decision.value), out)
    run.open()
    for note in (*notes, *run.notes):
        typer.echo(f"marapatch: {note}", err=True)

    def allowed(attacked: int) -> tuple[float | None, float | None] | None:
        return None if attacked and time_limit.over else time_limit.of(attacked)

    with Live(len(given.numbers), run.known, verbose=verbose) as live:
        interrupted = run.attack(allowed, live)
    if run.left and not interrupted:
        typer.echo(
            f"marapatch: out of time before {run.left} images, as --total-timeout says", err=True
        )
    measures = run.measures(seen, other)
    report(run, measures, outputs, interrupted=interrupted)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(0 if measures.found == measures.images and not run.left else 1)
