"""Files written whole or not at all, and checked for that before any long work."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from marapatch.errors import InputError


def check_writable(path: Path) -> None:
    """Raise InputError where :func:`write_whole` could not write ``path``; leaves no trace."""
    try:
        if path.exists():
            if path.is_dir():
                raise InputError(f"{path}: cannot be written: it is a folder")
            if not os.access(path, os.W_OK):
                raise InputError(f"{path}: cannot be written: permission denied")
            if not path.is_file():
                return  # a device or a pipe
        folder = path.resolve().parent
        if not folder.is_dir():
            raise InputError(f"{path}: cannot be written: there is no folder {folder}")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in a circle
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be written: {_reason(error)}") from error


def check_distinct(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise InputError where two outputs are one file, or an output is an input.

    Devices and pipes may be named twice.
    """
    taken = {_identity(path) for path in inputs}
    for path in outputs:
        if path.exists() and not path.is_file():
            continue
        if _identity(path) in taken:
            raise InputError(f"{path}: would be overwritten: give every output a file of its own")
        taken.add(_identity(path))


def check_outputs(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise InputError where an output could not be written, is another output or is an input."""
    outputs = list(outputs)
    check_distinct(outputs, inputs)
    for path in outputs:
        check_writable(path)


def write_whole(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` in one step: a crash leaves the old file or the new one.

    A link is followed; a device or a pipe is written to. Raises InputError.
    """
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            path.write_bytes(content)
            return
        target = path.resolve()
        temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            temporary.write_bytes(content)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be written: {_reason(error)}") from error


def _identity(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # links in a circle: no file at all
        return path.absolute()


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
