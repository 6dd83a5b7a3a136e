"""Arrays of numbers from the files in which images come: .npy, .npz, idx, .png and .csv."""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError

FORMATS = ".npy, .npz, .npz:KEY, idx (raw or .gz), .png or .csv"


@dataclass(frozen=True, eq=False)
class FileArray:
    """The numbers of one image as they stand in the file.

    ``values``: float64, not empty, in the file's shape. ``integer``: whether the file holds whole
    numbers by its type (not merely by chance). ``pixels``: whether the format itself says that
    they are pixels of 0..255. ``channels_last``: whether the format says that the last axis is
    the colour. ``notes``: what was chosen on the way, for people.
    """

    values: NDArray[np.float64]
    integer: bool
    pixels: bool = False
    channels_last: bool = False
    notes: tuple[str, ...] = ()


def read_array(path: str, index: int | None = None) -> FileArray:
    """Read one image; ``index`` selects along the first axis of a file that holds several.

    ``path`` may be ``file.npz:KEY``; without a key the only array of the file is taken, or the one
    named ``images``. Raises InputError where the file cannot be read or holds no numbers.
    """
    file, _, key = path.partition(".npz:")
    name = Path(f"{file}.npz" if key else path)
    with _reported(name):
        match name.suffix.lower():
            case ".npy" | ".npz":
                array = _numpy_file(name, key or None)
            case ".png":
                array = _png(name)
            case ".csv":
                return _csv(name, index)
            case suffix if suffix in (".gz", ".idx") or "idx" in name.name or "ubyte" in name.name:
                array = _idx(name)
            case _:
                raise InputError(f"{name}: not a known kind of image; give {FORMATS}")
    return array if index is None else _select(name, array, index)


@contextmanager
def _reported(name: Path) -> Iterator[None]:
    """Turn what the readers raise on missing and broken files into one-line errors."""
    try:
        yield
    except InputError:
        raise
    except (EOFError, zipfile.BadZipFile, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{name}: truncated or damaged: {one_line(error)}") from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or one_line(error)}") from error
    except MemoryError as error:
        raise InputError(f"{name}: its header asks for more memory than there is") from error
    except (ValueError, KeyError, RuntimeError, SyntaxError) as error:
        raise InputError(f"{name}: cannot be read: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """The first line of what ``error`` says, without a full stop."""
    text = str(error).strip()
    return (text.splitlines()[0] if text else type(error).__name__).rstrip(".")


def _numbers(name: Path, values: NDArray[Any], **known: Any) -> FileArray:
    if values.dtype.kind not in "biuf":
        raise InputError(f"{name}: holds {values.dtype} entries, not real numbers")
    if values.size == 0:
        raise InputError(f"{name}: holds an empty array of shape {values.shape}")
    return FileArray(values.astype(np.float64), values.dtype.kind != "f", **known)


def _select(name: Path, array: FileArray, index: int) -> FileArray:
    values = array.values
    if array.channels_last or values.ndim < 2:
        raise InputError(f"{name}: holds one image of shape {values.shape}; leave out --index")
    if not 0 <= index < values.shape[0]:
        raise InputError(
            f"{name}: --index {index} is not one of its {values.shape[0]} images "
            f"(0..{values.shape[0] - 1})"
        )
    return FileArray(values[index], array.integer, array.pixels, array.channels_last, array.notes)


def _numpy_file(name: Path, key: str | None) -> FileArray:
    with name.open("rb") as file:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return _numbers(name, loaded)
        keys = list(loaded.files)
        if key is not None:
            if key not in keys:
                raise InputError(f"{name}: has no array {key!r}; it has {', '.join(keys)}")
            return _numbers(name, loaded[key])
        if len(keys) == 1:
            return _numbers(name, loaded[keys[0]])
        if "images" in keys:
            return _numbers(name, loaded["images"], notes=(f"{name}: took the array 'images'",))
        example = keys[0] if keys else "KEY"
        raise InputError(
            f"{name}: holds {len(keys)} arrays ({', '.join(keys)}); choose one: {name}:{example}"
        )


_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def _idx(name: Path) -> FileArray:
    """The idx format of MNIST: two zero bytes, type, number of axes, sizes, big-endian data."""
    data = name.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    axes = data[3] if len(data) > 3 else 0
    start = 4 + 4 * axes
    if len(data) < start or data[:2] != b"\0\0" or data[2] not in _IDX_TYPES or axes == 0:
        raise InputError(f"{name}: not an idx file; give {FORMATS}")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", axes, 4))
    dtype = np.dtype(_IDX_TYPES[data[2]])
    wanted = prod(shape) * dtype.itemsize
    if len(data) - start != wanted:
        raise InputError(
            f"{name}: truncated or damaged: an idx file of shape {shape} has {wanted} bytes of "
            f"data, this one {len(data) - start}"
        )
    return _numbers(name, np.frombuffer(data, dtype, offset=start).reshape(shape))


def _png(name: Path) -> FileArray:
    from PIL import Image  # noqa: PLC0415  # only where a picture is read: start-up stays quick

    try:
        with Image.open(name, formats=["PNG"]) as picture:
            if picture.mode not in ("1", "L", "RGB") or "transparency" in picture.info:
                raise InputError(
                    f"{name}: a PNG of kind {picture.mode!r}"
                    f"{' with transparency' if 'transparency' in picture.info else ''}; "
                    "save it as 8-bit grey or RGB without alpha"
                )
            grey = picture.mode != "RGB"
            values = np.asarray(picture.convert("L" if grey else "RGB"))
    except Image.DecompressionBombError as error:
        raise InputError(f"{name}: far too large for an image of a network") from error
    return _numbers(name, values, pixels=True, channels_last=not grey)


_WHOLE = re.compile(r"[+-]?[0-9]+")


def _csv(name: Path, index: int | None) -> FileArray:
    """Rows of numbers between commas, semicolons or blanks; ``index`` chooses a row."""
    lines = [
        (number, line)
        for number, line in enumerate(name.read_text(encoding="utf-8-sig").splitlines(), 1)
        if line.strip()
    ]
    if not lines:
        raise InputError(f"{name}: is empty")
    if index is not None:
        if not 0 <= index < len(lines):
            raise InputError(f"{name}: --index {index} is not one of its {len(lines)} rows")
        lines = [lines[index]]
    rows: list[list[float]] = []
    whole = True
    for number, line in lines:
        tokens = re.split(r"[,;\s]\s*", line.strip().rstrip(",;"))
        try:
            rows.append([float(token) for token in tokens])
        except ValueError:
            bad = next(token for token in tokens if not _is_number(token))
            raise InputError(f"{name}, line {number}: {bad!r} is not a number") from None
        whole = whole and all(_WHOLE.fullmatch(token) for token in tokens)
        if len(rows[-1]) != len(rows[0]):
            raise InputError(
                f"{name}, line {number}: {len(rows[-1])} numbers, the first row has {len(rows[0])}"
            )
    values = np.array(rows)
    return FileArray(values[0] if len(rows) == 1 else values, whole)


def _is_number(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True
