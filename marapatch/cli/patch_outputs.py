"""What ``marapatch patch`` leaves behind: the answer on stdout, and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import typer

from marapatch.cli.answer import answer, queries_asked
from marapatch.cli.heartbeat import Heartbeat
from marapatch.cli.patch_inputs import Labelled
from marapatch.errors import ContradictionError, InputError
from marapatch.files.atomic_write import check_outputs, write_whole
from marapatch.network.load import load
from marapatch.patching.api import PatchProgress
from marapatch.patching.patch import Patch
from marapatch.patching.report import (
    Drawdown,
    all_to_json,
    best,
    drawdown,
    mapping,
    remarks,
    summary,
    table,
    to_json,
)
from marapatch.patching.verify_patch import confirm
from marapatch.problem.conditions import Rule
from marapatch.reporting.json_text import dump
from marapatch.reporting.rounded import rounded_down, rounded_up
from marapatch.reporting.versions import versions


@dataclass(frozen=True)
class PatchOutputs:
    """Where to write the patched ``network``, the ``report`` (JSON) and the ``picture``."""

    network: Path | None = None
    report: Path | None = None
    picture: Path | None = None

    def check(self, inputs: Sequence[Path]) -> None:
        """Raise InputError where one cannot be written or would overwrite a file in use."""
        if self.network is not None and self.network.suffix.lower() != ".onnx":
            raise InputError(f"{self.network}: a patched network is written as .onnx")
        paths = [path for path in (self.network, self.report, self.picture) if path is not None]
        if self.picture is not None:
            from marapatch.reporting.pictures import check_format

            check_format(self.picture)
        check_outputs(paths, inputs)


class PatchLine(Heartbeat):
    """Prints the bracket on stderr now and then where ``verbose``, seconds also while one long
    query runs; called with each :class:`PatchProgress`."""

    def __init__(self, *, verbose: bool) -> None:
        super().__init__(self._progress, shown=verbose)
        self._latest: PatchProgress | None = None
        self._started = monotonic()

    def __call__(self, progress: PatchProgress) -> None:
        another = self._latest is None or self._latest.layer != progress.layer
        self._latest = progress
        self.tell(always=another)

    def _progress(self) -> str:
        seconds, p = monotonic() - self._started, self._latest
        if p is None:
            return f"first patch, {seconds:.0f} s"
        bracket = f"{rounded_down(p.lower)} <= patch <= {rounded_up(p.upper)}"
        return f"layer {p.layer}: {bracket}, {queries_asked(p.queries)}, {seconds:.0f} s"


def report(
    patches: Sequence[Patch],
    outputs: PatchOutputs,
    labelled: Labelled | None,
    rule: Rule,
    *,
    every: bool,
) -> None:
    """Write the files asked for, then print the answer: it may be that nobody reads that.

    ``every``: all layers were asked about.

    A network that was written is read again and judged by onnxruntime on all inputs.
    """
    chosen = best(patches)
    written = None
    if outputs.network is not None and chosen is not None:
        chosen.save(outputs.network)
        written = _reloaded(chosen, outputs.network)
    check = None
    if labelled is not None and chosen is not None:
        check = drawdown(chosen.network, chosen.apply(), *labelled, rule)
    if outputs.picture is not None:
        from marapatch.patching.plots import plot_patches

        plot_patches(patches, outputs.picture)
    if outputs.report is not None:
        about: dict[str, Any] = {
            "decision": rule.value,
            "patched": None if written is None else str(outputs.network),
            "patched_confirmed": written,
            "check": None if check is None else asdict(check),
            "versions": versions(),
        }
        content = all_to_json(patches, **about) if every else to_json(patches[0], **about)
        write_whole(outputs.report, dump(content))
    _print(patches, check, outputs.network if written is not None else None, written)
    if outputs.network is not None and chosen is None:
        typer.echo(f"marapatch: no patch is known, so {outputs.network} was not written", err=True)


def _reloaded(patch: Patch, path: Path) -> bool | None:
    """Whether the file as written meets every goal, for onnxruntime; it must hold the patch."""
    network = load(path)
    wanted = patch.apply().weights(patch.layer.node)[0]
    found = next(
        network.weights(layer.node)[0]
        for layer in network.affine_layers
        if layer.number == patch.layer.number
    )
    if found.shape != wanted.shape or not (found == wanted).all():
        raise ContradictionError(f"{path}: does not hold the patch that was written; please report")
    return confirm(network, patch.inputs, patch.goals)


def _print(
    patches: Sequence[Patch], check: Drawdown | None, path: Path | None, written: bool | None
) -> None:
    with answer(width=160) as console:
        if patches[-1].interrupted:
            console.print("interrupted; what is known so far:")
        if len(patches) == 1:
            console.print(summary(patches[0]))
        console.print(table(patches))
        if len(patches) > 1:
            console.print(mapping(patches))
        for patch in patches:
            for line in remarks(patch):
                console.print(line)
        if path is not None:
            verdict = {True: "meets every goal", False: "does NOT meet every goal"}
            said = "was not asked" if written is None else verdict[written]
            console.print(f"{path}: written, read again; onnxruntime {said}")
        if check is not None:
            console.print(
                f"accuracy on {check.inputs} inputs: {check.before:.4f} before, {check.after:.4f} "
                f"after; {check.changed} decisions change"
            )
        queries = queries_asked(sum(len(p.queries) for p in patches))
        console.print(f"{queries}, {sum(p.seconds for p in patches):.1f} s")
