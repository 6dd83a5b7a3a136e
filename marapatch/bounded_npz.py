"""An .npz file read without believing it: sizes are known before anything is allocated.

A member's header of a hundred bytes can announce an array of any size, and a compressed member
can grow a thousandfold as it is read. Here every member's shape is read first, all of them
together are held against a limit, and no member is read beyond what its header announces.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from marapatch.errors import InputError

LIMIT = 4 * 2**30
"""Bytes that all arrays of one file may take."""

MOST_MEMBERS = 100_000
"""Arrays in one file."""

LONGEST_HEADER = 10_000
"""Bytes of one array's header."""

MOST_AXES = 32

CHUNK = 2**20
"""Bytes read at once."""


@dataclass(frozen=True)
class _Header:
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Bytes, in Python's integers: they do not wrap around."""
        return prod(self.shape) * self.dtype.itemsize


def read_npz(path: Path, limit: int = LIMIT) -> Mapping[str, NDArray[Any]]:
    """All arrays of the file by name, none of them of objects.

    Raises InputError, naming the file, where it is no such file or its arrays would take more than
    ``limit`` bytes: before any of them is allocated.
    """
    try:
        if not path.is_file():
            raise InputError(f"{path}: cannot be read: there is no such file")
        with zipfile.ZipFile(path) as archive:
            return _read(path, archive, limit)
    except (OSError, EOFError, RuntimeError, NotImplementedError) as error:
        raise InputError(f"{path}: cannot be read as .npz: {_first_line(error)}") from error
    except (zipfile.BadZipFile, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: damaged, or no .npz file: {_first_line(error)}") from error


def _read(path: Path, archive: zipfile.ZipFile, limit: int) -> Mapping[str, NDArray[Any]]:
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise InputError(f"{path}: holds {len(members)} arrays, more than {MOST_MEMBERS}")
    total = 0
    for member in members:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(
                f"{path}: {_shown(member.filename)} in it is compressed otherwise than numpy does"
            )
        with archive.open(member) as file:
            total += _header(path, member.filename, file).size
    if total > limit:
        raise InputError(f"{path}: its arrays take {total:.3g} bytes, the limit is {limit}")
    arrays: dict[str, NDArray[Any]] = {}
    for member in members:
        name = member.filename.removesuffix(".npy")
        if name in arrays:
            raise InputError(f"{path}: holds two arrays {_shown(name)}")
        with archive.open(member) as file:
            arrays[name] = _array(path, member.filename, file)
    return arrays


def _header(path: Path, name: str, file: IO[bytes]) -> _Header:
    start = file.read(8)
    width = {b"\x01\x00": 2, b"\x02\x00": 4}.get(start[6:], 0)
    if start[:6] != npy.MAGIC_PREFIX or not width:
        raise InputError(f"{path}: {_shown(name)} in it is no array of numpy's")
    raw = file.read(width)
    text = file.read(min(int.from_bytes(raw, "little"), LONGEST_HEADER + 1))
    reader = npy.read_array_header_1_0 if width == 2 else npy.read_array_header_2_0
    try:
        shape, fortran, dtype = reader(io.BytesIO(raw + text), max_header_size=LONGEST_HEADER)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise InputError(f"{path}: {_shown(name)} in it has no header of numpy's") from error
    if dtype.hasobject:
        raise InputError(f"{path}: {_shown(name)} in it holds Python objects, not numbers")
    sizes = [int(n) for n in shape]
    far = min(sizes, default=0) < 0 or prod(max(n, 1) for n in sizes) >= 2**48
    if far or not dtype.itemsize or len(sizes) > MOST_AXES:
        raise InputError(f"{path}: {_shown(name)} in it has a shape or type of no use here")
    return _Header(tuple(sizes), bool(fortran), dtype)


def _array(path: Path, name: str, file: IO[bytes]) -> NDArray[Any]:
    header = _header(path, name, file)
    content = io.BytesIO()
    left = header.size
    while left > 0:
        part = file.read(min(CHUNK, left))
        if not part:
            raise InputError(f"{path}: {_shown(name)} in it is cut short")
        content.write(part)
        left -= len(part)
    if file.read(1):  # at the end the archive's checksum is compared
        raise InputError(f"{path}: {_shown(name)} in it is longer than its header says")
    if not header.size:
        return np.zeros(header.shape, header.dtype)
    flat = np.frombuffer(content.getbuffer(), header.dtype, prod(header.shape))
    return flat.reshape(header.shape, order="F" if header.fortran else "C")


def _shown(name: str) -> str:
    return repr(name if len(name) <= 40 else f"{name[:37]}...")


def _first_line(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return (text.strip() or type(error).__name__).splitlines()[0]
