"""Arrays in .npy and .npz files and in idx files: described by their headers before they are read.

A header of a hundred bytes can announce any size, and a compressed file grows a thousandfold. So
the shape is known, and can be refused, before a number is read, and one entry along the first axis
is read without the others.
"""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError
from marapatch.files.memory import afford
from marapatch.files.reading import DEFLATE_RATIO, gunzip, opened, shown, size_of

MAX_AXES = 32
MAX_HEADER = 10_000
MAX_ANNOUNCED = 2**48
MAX_DIRECTORY = 16 * 2**20
"""Bytes of an archive's directory: room for some hundred thousand arrays."""

_CHUNK = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class Header:
    """What a file says of an array: ``shape``, ``dtype``, and whether the first axis runs fastest
    (``fortran``)."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool = False

    @property
    def entries(self) -> int:
        """How many numbers there are."""
        return prod(self.shape)

    @property
    def size(self) -> int:
        """How many bytes they take in the file."""
        return self.entries * self.dtype.itemsize


@dataclass(frozen=True, eq=False)
class Stream:
    """An array that is about to be read from ``file``, which stands behind its header."""

    name: str
    header: Header
    file: IO[bytes]

    def read(self, index: int | None = None) -> NDArray[Any]:
        """The whole array, or entry ``index`` along its first axis; 0-d where that is a number.

        Raises InputError where it would not fit the memory limit, or the data end too soon.
        """
        header = self.header
        width = header.dtype.itemsize
        if index is None:
            values = self._take(header.entries)
            if self.file.read(1):  # this also makes gzip and zip compare their checksums
                raise InputError(f"{self.name}: damaged: more data than its header announces")
            return values.reshape(header.shape, order="F" if header.fortran else "C")
        one = prod(header.shape[1:])
        if not header.fortran:
            self.file.seek(index * one * width, io.SEEK_CUR)
            return self._take(one).reshape(header.shape[1:])
        afford(self.name, one * width)
        values = np.empty(one, header.dtype)
        self.file.seek(index * width, io.SEEK_CUR)
        for k in range(one):  # the others' entries lie between
            values[k] = self._take(1)[0]
            self.file.seek((header.shape[0] - 1) * width, io.SEEK_CUR)
        return values.reshape(header.shape[1:], order="F")

    def _take(self, entries: int) -> NDArray[Any]:
        size = entries * self.header.dtype.itemsize
        afford(self.name, size)
        values = np.empty(entries, self.header.dtype)
        place = values.view(np.uint8)
        done = 0
        while done < size:
            part = self.file.read(min(_CHUNK, size - done))
            if not part:
                raise InputError(
                    f"{self.name}: truncated or damaged: it announces {size} bytes of data and "
                    f"holds {done}"
                )
            place[done : done + len(part)] = np.frombuffer(part, np.uint8)
            done += len(part)
        return values


@contextmanager
def npy_stream(path: Path) -> Iterator[Stream]:
    """The array of an .npy file; InputError where it is none."""
    with opened(path) as file:
        header = _header(str(path), file)
        _check_size(str(path), header, size_of(file) - file.tell(), 1)
        yield Stream(str(path), header, file)


@contextmanager
def npz_archive(path: Path) -> Iterator[Archive]:
    """The arrays of an .npz file; InputError where it is no archive, or damaged."""
    try:
        with opened(path) as file:
            _check_directory(path, file)
            with zipfile.ZipFile(file) as archive:
                yield Archive(path, archive)
    except _BROKEN_ARCHIVE as error:
        raise InputError(f"{path}: damaged, or no .npz file") from error


@dataclass(frozen=True, eq=False)
class Archive:
    """An open .npz file."""

    path: Path
    archive: zipfile.ZipFile

    @property
    def keys(self) -> list[str]:
        """The names of its arrays."""
        return [name.removesuffix(".npy") for name in self.archive.namelist()]

    @contextmanager
    def stream(self, key: str) -> Iterator[Stream]:
        """One array; InputError where it cannot be read."""
        where = f"{self.path}, array {shown(key)!r}"
        try:
            info = self.archive.getinfo(f"{key}.npy")
        except KeyError:
            info = self.archive.getinfo(key)
        if info.compress_type not in _METHODS or info.flag_bits & 1:
            raise InputError(f"{where}: is packed or encrypted as .npz files are not")
        with self.archive.open(info) as member:
            header = _header(where, member)
            ratio = 1 if info.compress_type == zipfile.ZIP_STORED else DEFLATE_RATIO
            _check_size(where, header, min(info.compress_size * ratio, info.file_size), 1)
            yield Stream(where, header, member)


def read_npz(path: Path) -> Mapping[str, NDArray[Any]]:
    """All arrays of an .npz file, no objects among them. Raises InputError where it is none, and
    where all of them together would not fit the memory limit: before any is read."""
    found: dict[str, NDArray[Any]] = {}
    with npz_archive(path) as archive:
        keys = archive.keys
        if len(set(keys)) < len(keys):
            raise InputError(f"{path}: holds two arrays of one name")
        # No array takes more than its member announces: that is looked at when it is read.
        afford(str(path), sum(info.file_size for info in archive.archive.infolist()))
        for key in keys:
            with archive.stream(key) as stream:
                if stream.header.dtype.hasobject:
                    raise InputError(f"{stream.name}: holds objects, not numbers")
                found[key] = stream.read()
    return found


_BROKEN_HEADER = (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, TokenError)
"""What numpy raises on a header that is no dictionary of Python."""

_BROKEN_ARCHIVE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,
    struct.error,
    UnicodeDecodeError,
)
"""What zipfile raises on a file that is no archive of numpy's."""

_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


@contextmanager
def idx_stream(path: Path) -> Iterator[Stream]:
    """The array of an idx file (MNIST's: two zero bytes, type, number of axes, sizes, big-endian
    data), gzipped or not; InputError where it is none."""
    with opened(path) as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file: IO[bytes] = gunzip(raw) if zipped else raw  # type: ignore[assignment]  # a GzipFile reads alike
        start = file.read(4)
        axes = start[3] if len(start) == 4 else 0
        sizes = file.read(4 * axes)
        known = start[:2] == b"\0\0" and start[2:3] != b"" and start[2] in _IDX_TYPES
        if not known or not 0 < axes <= MAX_AXES or len(sizes) < 4 * axes:
            raise InputError(f"{path}: not an idx file")
        shape = struct.unpack(f">{axes}I", sizes)
        header = Header(shape, np.dtype(_IDX_TYPES[start[2]]))
        there = size_of(raw) - (0 if zipped else raw.tell())
        if not zipped and there != header.size:
            raise InputError(
                f"{path}: truncated or damaged: an idx file of shape {shown(shape)} has "
                f"{shown(header.size, 30)} bytes of data, this one {there}"
            )
        _check_size(str(path), header, there, DEFLATE_RATIO if zipped else 1)
        yield Stream(str(path), header, file)


def _check_size(name: str, header: Header, there: int, ratio: int) -> None:
    """Refuse data that ``there`` bytes, each of which stands for at most ``ratio``, cannot hold."""
    if header.size > there * ratio:
        raise InputError(
            f"{name}: truncated or damaged: an array of shape {shown(header.shape)} has "
            f"{shown(header.size, 30)} bytes of data, more than the file can hold"
        )


def _header(name: str, file: IO[bytes]) -> Header:
    """Read the header of an .npy file, and no more."""
    start = file.read(8)
    if len(start) < 8 or start[:6] != np.lib.format.MAGIC_PREFIX or start[6] not in (1, 2):
        raise InputError(f"{name}: not an array in numpy's format, or cut off")
    width = 2 if start[6] == 1 else 4
    raw = file.read(width)
    length = int.from_bytes(raw, "little")
    text = file.read(min(length, MAX_HEADER))
    if len(raw) < width or len(text) < length:
        raise InputError(f"{name}: its header is cut off, or far too long for an array's")
    read = (
        np.lib.format.read_array_header_1_0 if width == 2 else np.lib.format.read_array_header_2_0
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "written by Python 2"
            shape, fortran, dtype = read(io.BytesIO(raw + text), max_header_size=MAX_HEADER)
    except _BROKEN_HEADER as error:
        raise InputError(f"{name}: its header is damaged, it describes no array") from error
    # numpy makes no array of nothing either where the other axes are too long.
    far = min(shape, default=0) < 0 or prod(max(int(n), 1) for n in shape) >= MAX_ANNOUNCED
    if len(shape) > MAX_AXES or far or not dtype.itemsize:
        raise InputError(f"{name}: its header is damaged: a shape of {shown(shape)}")
    return Header(tuple(int(n) for n in shape), dtype, bool(fortran))


def _check_directory(path: Path, file: IO[bytes]) -> None:
    """Refuse an archive whose directory alone is too large to read in reasonable time."""
    size = size_of(file)
    file.seek(max(0, size - (1 << 16) - 22))
    end = file.read()
    file.seek(0)
    place = end.rfind(b"PK\5\6")
    if place < 0 or len(end) < place + 22:
        raise InputError(f"{path}: truncated or damaged: not an .npz file")
    (directory,) = struct.unpack_from("<I", end, place + 12)
    if directory > min(MAX_DIRECTORY, size):
        raise InputError(f"{path}: not an .npz file, or its list of arrays is far too long")
