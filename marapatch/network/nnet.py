"""The .nnet text format: fully connected ReLU networks, such as ACAS Xu."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import pairwise
from os import PathLike
from pathlib import Path

import numpy as np

from marapatch.errors import InputError
from marapatch.files.reading import read_bytes, shown
from marapatch.network.graph import Network, Source, dense_network
from marapatch.network.layers import Array

NNET_BYTES = 24.0
"""For each byte of a file: the text, its lines, and its numbers as Python has them and as float64.
The shortest number takes two bytes."""

NNET_LAYERS = 1000


def read_nnet(path: str | PathLike[str]) -> Network:
    """The network in a .nnet file, as a function of *normalised* inputs and outputs.

    Lines: comments (``//``); layers, inputs, outputs, widest layer; the sizes; an unused flag;
    smallest and largest inputs; means and ranges of the inputs and, last, of the output; then for
    each layer the rows of its weights and, one a line, its biases. Every layer but the last is
    followed by a ReLU. The header's normalisation is not applied: the network is that of the
    weights, and ``input_box`` is ``(min - mean) / range`` to ``(max - mean) / range`` where the
    header states it in full with positive ranges (in some files it is filler; then None and a
    note). Neurify's dialect, whose flag line has one 0 a layer and is followed by the weights at
    once, is read too.

    Numbers are float64, and so is the input. Raises :class:`InputError` naming file and line.
    """
    file = Path(path)
    content = read_bytes(file, NNET_BYTES)
    try:
        network = _parse(_Lines.of(content))
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    return replace(network, source=Source(str(file), sha256(content).hexdigest(), "nnet"))


@dataclass
class _Lines:
    """The lines that hold numbers, taken one after the other."""

    lines: list[tuple[int, str]]
    taken: int = 0

    @staticmethod
    def of(content: bytes) -> _Lines:
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise InputError("is no text file, so no .nnet file") from error
        numbered = enumerate(text.splitlines(), start=1)
        stripped = ((number, line.strip()) for number, line in numbered)
        return _Lines([(n, line) for n, line in stripped if line and not line.startswith("//")])

    def take(self, what: str, count: int | None = None) -> Array:
        """The numbers of the next line; ``count`` of them where that is given."""
        if self.taken == len(self.lines):
            raise InputError(f"ends before {what}; the file is cut off")
        number, line = self.lines[self.taken]
        self.taken += 1
        try:
            values = np.array([float(part) for part in line.rstrip(",").split(",")])
        except ValueError as error:
            raise InputError(
                f"line {number}: {what} expected, found {shown(line, 40)!r}"
            ) from error
        if count is not None and values.size != count:
            raise InputError(
                f"line {number}: {what} needs {shown(count)} numbers, found {values.size}; "
                "the file is damaged or cut off"
            )
        if not np.isfinite(values).all():
            raise InputError(f"line {number}: {what} contains NaN or infinity")
        return values

    def sizes(self, what: str, count: int | None = None) -> list[int]:
        """The next line as whole numbers >= 1."""
        values = self.take(what, count)
        if (values != np.floor(values)).any() or (values < 1).any():
            number = self.lines[self.taken - 1][0]
            raise InputError(f"line {number}: {what} must be whole numbers of at least 1")
        return [int(value) for value in values]

    def finish(self) -> None:
        """Refuse lines that nobody took."""
        if self.taken < len(self.lines):
            number = self.lines[self.taken][0]
            raise InputError(f"line {number}: more numbers than the sizes announce")


def _parse(lines: _Lines) -> Network:
    layers, inputs, outputs, _ = lines.sizes("the numbers of layers, inputs and outputs", 4)
    if layers > NNET_LAYERS:
        raise InputError(f"{shown(layers)} layers are more than the {NNET_LAYERS} that are read")
    sizes = lines.sizes("the sizes of the layers", layers + 1)
    if sizes[0] != inputs or sizes[-1] != outputs:
        raise InputError(
            f"the sizes {shown(sizes)} do not run from {shown(inputs)} inputs to {shown(outputs)} "
            "outputs"
        )
    flags = lines.take("the flag")
    notes: tuple[str, ...] = ()
    box: tuple[Array, Array] | None = None
    if layers > 1 and flags.size == layers:
        if flags.any():
            raise InputError(
                f"layer types {shown(flags.astype(int).tolist())}: only fully connected layers (0) "
                "of this dialect are read; convert the network to ONNX"
            )
        notes = ("Neurify's .nnet dialect: the file states no ranges of its inputs",)
    else:
        header = [lines.take(f"the inputs' {what}") for what in ("minima", "maxima")]
        header += [lines.take(f"the {what} of inputs and output") for what in ("means", "ranges")]
        box = _box(inputs, *header)
        if box is None:
            notes = ("the header's normalisation is incomplete or filler: no box is known",)
    weights, biases = [], []
    for k, (before, after) in enumerate(pairwise(sizes)):
        rows = [lines.take(f"row {i} of the weights of layer {k}", before) for i in range(after)]
        weights.append(np.stack(rows))
        offsets = [lines.take(f"bias {i} of layer {k}", 1) for i in range(after)]
        biases.append(np.concatenate(offsets))
    lines.finish()
    return replace(dense_network(weights, biases), input_box=box, notes=notes)


def _box(
    inputs: int, minima: Array, maxima: Array, means: Array, ranges: Array
) -> tuple[Array, Array] | None:
    """The box in normalised units, or None where the header does not state one in full."""
    if (minima.size, maxima.size, means.size, ranges.size) != (*(inputs,) * 2, *(inputs + 1,) * 2):
        return None
    if not (ranges > 0.0).all() or not (minima <= maxima).all():
        return None
    mean, width = means[:-1], ranges[:-1]
    return (minima - mean) / width, (maxima - mean) / width
