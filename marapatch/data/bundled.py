"""The small networks and images that come with marapatch, named ``example:NAME``."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from marapatch.errors import InputError

PREFIX = "example:"


def examples(kind: str) -> dict[str, Path]:
    """The bundled files by name; ``kind``: ``network`` (ONNX) or ``image`` (.npy, .npz)."""
    suffixes = {"network": (".onnx", ".nnet"), "image": (".npy", ".npz")}[kind]
    folder = Path(str(resources.files("marapatch.data") / "examples"))
    return {file.stem: file for file in sorted(folder.glob("*")) if file.suffix in suffixes}


def resolve(spec: str, kind: str) -> str:
    """The path that ``spec`` names: a bundled example after ``example:``, else ``spec`` itself.

    Raises InputError, with the names there are, where no example has that name.
    """
    if not spec.startswith(PREFIX):
        return spec
    known = examples(kind)
    name = spec.removeprefix(PREFIX)
    if name not in known:
        names = ", ".join(PREFIX + known_name for known_name in known)
        raise InputError(f"{spec}: no bundled {kind} has that name; there are {names}")
    return str(known[name])
