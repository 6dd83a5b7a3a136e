"""What a command leaves behind: files, whole or not at all, and the answer on stdout."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray

from marapatch.cli.answer import answer, queries_asked
from marapatch.files.atomic_write import check_outputs, write_whole
from marapatch.formats.inputs import LoadedImage
from marapatch.groundtruth.report import remarks, summary, table, to_json
from marapatch.groundtruth.result import GroundTruth
from marapatch.reporting.json_text import dump
from marapatch.reporting.rounded import rounded_up
from marapatch.reporting.versions import versions


@dataclass(frozen=True)
class Outputs:
    """Where to write the nearest ``witness`` (.npy), the ``report`` (JSON), the ``picture`` and the
    search's ``tree`` (.npz).

    ``each``: classes that have witnesses of their own, written beside ``witness``.
    """

    witness: Path | None = None
    report: Path | None = None
    picture: Path | None = None
    tree: Path | None = None
    each: Sequence[int] = ()

    def beside(self, target: int) -> Path | None:
        """Where the witness of ``target`` goes; None where it has no file of its own."""
        if self.witness is None or target not in self.each:
            return None
        return self.witness.with_name(f"{self.witness.stem}-{target}{self.witness.suffix}")

    def check(self, inputs: Sequence[Path]) -> None:
        """Raise InputError where one cannot be written or would overwrite another file in use."""
        chosen = [self.witness, self.report, self.picture, self.tree, *map(self.beside, self.each)]
        paths = [path for path in chosen if path is not None]
        if self.picture is not None:
            from marapatch.reporting.pictures import (
                check_format,  # matplotlib takes a second to import
            )

            check_format(self.picture)
        check_outputs(paths, inputs)


def report(
    result: GroundTruth,
    outputs: Outputs,
    image: LoadedImage,
    *,
    index: int | None,
    decision: str,
) -> GroundTruth:
    """Write the files asked for, then print the answer: it may be that nobody reads that. Return
    it: where trees are written, no more than they prove."""
    if outputs.tree is not None and result.already:
        typer.echo(f"marapatch: nothing was searched, so {outputs.tree} was not written", err=True)
    elif outputs.tree is not None:
        from marapatch.cli.tree_output import write_trees

        result = write_trees(result, outputs.tree)
    nearest, others = _write_witnesses(result, outputs)
    if outputs.picture is not None:
        _draw(result, image, outputs.picture)
    if outputs.report is not None:
        about: dict[str, Any] = {
            "decision": decision,
            "image": {"path": image.path, "index": index, "scaled": image.scaled},
            "versions": versions(),
        }
        content = to_json(result, witness=nearest, witnesses=others, **about)
        write_whole(outputs.report, dump(content))
    _print(result)
    if result.witness is None:
        for path in (outputs.witness, outputs.picture):
            if path is not None:
                typer.echo(f"marapatch: no witness was found, so {path} was not written", err=True)
    return result


def _write_witnesses(result: GroundTruth, outputs: Outputs) -> tuple[str | None, dict[int, str]]:
    """Write the nearest witness, and each target's that has a file; return where they are."""
    if outputs.witness is None or result.witness is None:
        return None, {}
    nearest = write_array(outputs.witness, result.witness)
    others: dict[int, str] = {}
    for found in result.targets:
        if found.witness is None:
            continue
        if found.witness.input is result.witness:
            others[found.target] = nearest
        path = outputs.beside(found.target)
        if path is not None:
            others[found.target] = write_array(path, found.witness.input)
    return nearest, others


def write_array(path: Path, array: NDArray[np.floating]) -> str:
    content = io.BytesIO()
    np.save(content, array)
    write_whole(path, content.getvalue())
    return str(path)


def _draw(result: GroundTruth, image: LoadedImage, path: Path) -> None:
    from marapatch.reporting.pictures import plot_witness  # matplotlib takes a second to import

    if result.witness is None:
        return
    shape = result.network.input_shape
    if sum(n > 1 for n in shape) <= 1:
        shape = image.values.shape
    nearest = min(result.targets, key=lambda t: t.upper, default=None)
    titles = (
        f"original: {result.decided}",
        f"witness: {result.decided if nearest is None else nearest.target}",
        f"difference: {result.norm.value} {rounded_up(result.upper)}",
    )
    plot_witness(result.image, result.witness, path, shape, titles)


def _print(result: GroundTruth) -> None:
    with answer() as console:
        if result.interrupted:
            console.print("interrupted; what is known so far:")
        console.print(summary(result))
        if result.targets:
            console.print(table(result))
        for line in remarks(result):
            console.print(line)
        console.print(f"{queries_asked(len(result.queries))}, {result.seconds:.1f} s")
