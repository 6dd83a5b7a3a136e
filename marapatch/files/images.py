"""Images from the files in which they come: .npy, .npz, idx, .png and .csv."""

from __future__ import annotations

import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError
from marapatch.files.arrays import Stream, idx_stream, npy_stream, npz_archive
from marapatch.files.csv_tables import read_csv
from marapatch.files.memory import afford
from marapatch.files.reading import one_line, opened, shown

IMAGE_FORMATS = ".npy, .npz, .npz:KEY, idx (raw or .gz), .png or .csv"

BYTES_A_NUMBER = 32
"""What a number of an image takes at its most: as stored, as float64, scaled, and checked."""


@dataclass(frozen=True)
class Layout:
    """How the numbers of an image lie: ``shape``, and whether the format says that the last axis
    is the colour (``channels_last``)."""

    shape: tuple[int, ...]
    channels_last: bool = False


Check = Callable[[Layout], None]
"""Raises InputError where an image of this layout is of no use: it is not read then."""


@dataclass(frozen=True, eq=False)
class FileArray:
    """The numbers of one image as they stand in the file.

    ``values``: float64, not empty, in the file's shape. ``integer``: whether the file holds whole
    numbers by its type (not merely by chance). ``pixels``: whether the format itself says that
    they are pixels of 0..255. ``channels_last``: as in :class:`Layout`. ``notes``: what was
    chosen on the way, for people.
    """

    values: NDArray[np.float64]
    integer: bool
    pixels: bool = False
    channels_last: bool = False
    notes: tuple[str, ...] = ()


def useful(layout: Layout) -> None:
    """The check that refuses nothing."""


def read_array(path: str, index: int | None = None, check: Check = useful) -> FileArray:
    """Read one image; ``index`` selects along the first axis of a file that holds several.

    ``path`` may be ``file.npz:KEY``; without a key the only array of the file is taken, or the one
    named ``images``. ``check`` sees the layout before a number is read. Raises InputError where
    the file cannot be read, holds no numbers, or more than the memory limit has room for.
    """
    file, _, key = path.partition(".npz:")
    name = Path(f"{file}.npz" if key else path)
    with _reported(name):
        match name.suffix.lower():
            case ".npy":
                with npy_stream(name) as stream:
                    return _read(name, stream, index, check)
            case ".npz":
                return _npz(name, key or None, index, check)
            case ".png":
                return _png(name, index, check)
            case ".csv":
                values, whole = read_csv(
                    name, index, lambda shape: _judge(name, Layout(shape), check)
                )
                return FileArray(values, whole)
            case suffix if suffix in (".gz", ".idx") or "idx" in name.name or "ubyte" in name.name:
                with idx_stream(name) as stream:
                    return _read(name, stream, index, check)
            case _:
                raise InputError(f"{name}: not a known kind of image; give {IMAGE_FORMATS}")


@contextmanager
def _reported(name: Path) -> Iterator[None]:
    """Turn what the readers raise on broken files into one-line errors."""
    try:
        yield
    except InputError:
        raise
    except (EOFError, zipfile.BadZipFile, zlib.error, struct.error) as error:
        raise InputError(f"{name}: truncated or damaged: {one_line(error)}") from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or one_line(error)}") from error
    except (ValueError, LookupError, RuntimeError, SyntaxError, OverflowError) as error:
        raise InputError(f"{name}: cannot be read: {one_line(error)}") from error


def _judge(name: Path, layout: Layout, check: Check) -> None:
    """Refuse an image that is of no use or has no room, before its numbers are read."""
    entries = prod(layout.shape)
    if entries == 0:
        raise InputError(f"{name}: holds an empty array of shape {shown(layout.shape)}")
    check(layout)
    afford(f"{name}, an array of shape {shown(layout.shape)},", entries * BYTES_A_NUMBER)


def _read(name: Path, stream: Stream, index: int | None, check: Check, **known: Any) -> FileArray:
    header = stream.header
    if header.dtype.kind not in "biuf":
        raise InputError(f"{name}: holds {shown(header.dtype)} entries, not real numbers")
    shape = header.shape
    if index is not None:
        _judge_index(name, index, shape, many=len(shape) >= 2)
        shape = shape[1:]
    _judge(name, Layout(shape), check)
    values = stream.read(index)
    return FileArray(values.astype(np.float64), values.dtype.kind != "f", **known)


def _judge_index(name: Path, index: int, shape: tuple[int, ...], *, many: bool) -> None:
    if not many:
        raise InputError(f"{name}: holds one image of shape {shown(shape)}; leave out --index")
    if not 0 <= index < shape[0]:
        raise InputError(
            f"{name}: --index {index} is not one of its {shape[0]} images (0..{shape[0] - 1})"
        )


def _npz(name: Path, key: str | None, index: int | None, check: Check) -> FileArray:
    with npz_archive(name) as archive:
        keys = archive.keys
        listed = shown(", ".join(keys[:20]), 200)
        notes: tuple[str, ...] = ()
        if key is not None and key not in keys:
            raise InputError(f"{name}: has no array {shown(key)!r}; it has {listed}")
        if key is None and len(keys) == 1:
            (key,) = keys
        elif key is None and "images" in keys:
            key, notes = "images", (f"{name}: took the array 'images'",)
        elif key is None:
            example = shown(keys[0]) if keys else "KEY"
            raise InputError(
                f"{name}: holds {len(keys)} arrays ({listed}); choose one: {name}:{example}"
            )
        with archive.stream(key) as stream:
            return _read(name, stream, index, check, notes=notes)


def _png(name: Path, index: int | None, check: Check) -> FileArray:
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415  # only where a picture is read: start-up stays quick

    try:
        with opened(name) as file, warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=["PNG"]) as picture:
                if picture.mode not in ("1", "L", "RGB") or "transparency" in picture.info:
                    raise InputError(
                        f"{name}: a PNG of kind {picture.mode!r}"
                        f"{' with transparency' if 'transparency' in picture.info else ''}; "
                        "save it as 8-bit grey or RGB without alpha"
                    )
                grey = picture.mode != "RGB"
                size = (picture.height, picture.width)
                layout = Layout(size if grey else (*size, 3), channels_last=not grey)
                if index is not None:
                    _judge_index(name, index, layout.shape, many=grey)
                    _judge(name, layout, useful)
                    layout = Layout(layout.shape[1:])
                _judge(name, layout, check)
                values = np.asarray(picture.convert("L" if grey else "RGB"))
    except UnidentifiedImageError as error:
        raise InputError(f"{name}: cannot be read: it is no PNG picture, or cut off") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{name}: far too large for an image of a network") from error
    chosen = values if index is None else values[index]
    array = FileArray(chosen.astype(np.float64), integer=True, pixels=True)
    return replace(array, channels_last=layout.channels_last)
