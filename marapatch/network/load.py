"""A network from a file, whatever its format."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from marapatch.files.reading import opened
from marapatch.network.graph import Network
from marapatch.network.nnet import read_nnet
from marapatch.network.onnx.reader import read_onnx

READERS = {".onnx": read_onnx, ".nnet": read_nnet}


def load(path: str | PathLike[str]) -> Network:
    """The network in ``path``: by its suffix (.onnx, .nnet), or else by how it begins.

    Raises :class:`~marapatch.errors.InputError` and
    :class:`~marapatch.errors.UnsupportedOperatorError` as the readers do.
    """
    file = Path(path)
    reader = READERS.get(file.suffix.lower())
    if reader is not None:
        return reader(file)
    with opened(file) as stream:
        start = stream.read(64)
    text = start.lstrip()
    return read_nnet(file) if text.startswith(b"//") or text[:1].isdigit() else read_onnx(file)
