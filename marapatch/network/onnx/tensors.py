"""The numbers of an ONNX file: how many there are, where they are, and whether they are there.

A tensor may lie in another file beside the network's ("external data"). Only a regular file in the
same folder is read, and only as many bytes as the tensor's shape and type need.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from marapatch.errors import InputError
from marapatch.files.memory import Budget
from marapatch.files.reading import opened, shown, size_of

STORED_BYTES = 48
"""For each number that a file stores: as it stands there, as float64, and its position."""

MAX_AXES = 32


def entries_of(tensor: Any) -> int:
    """How many entries a tensor has; InputError where its sizes are none."""
    sizes = list(tensor.dims)
    if len(sizes) > MAX_AXES or min(sizes, default=0) < 0:
        raise InputError(
            f"tensor {shown(tensor.name)!r} has the shape {shown(sizes)}; repair the file"
        )
    return prod(sizes)


def decoded(tensor: Any, name: str) -> NDArray[Any]:
    """The numbers of a tensor; InputError where they are not there, or too few."""
    try:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise InputError(f"tensor {shown(name)!r} lies in another file, which is not read here")
        entries = entries_of(tensor)
        if tensor.HasField("raw_data") and _width(tensor.data_type) is not None:
            wanted = (entries * (_width(tensor.data_type) or 0) + 7) // 8
            if len(tensor.raw_data) != wanted:
                raise InputError(
                    f"tensor {shown(name)!r} of shape {shown(list(tensor.dims))} needs {wanted} "
                    f"bytes, the file has {len(tensor.raw_data)}; it is damaged or cut off"
                )
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, LookupError, OverflowError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"tensor {shown(name)!r} cannot be decoded; the file is damaged"
        ) from error


def embed(model: Any, folder: Path) -> bool:
    """Move the numbers that lie in files of ``folder`` into ``model``; whether there were any.

    Raises InputError where such a file is not in the folder, is no regular file, or does not hold
    what the tensor needs, and where all together are over the memory limit.
    """
    budget = Budget()
    outside = [t for t in _tensors(model.graph) if t.data_location == onnx.TensorProto.EXTERNAL]
    for tensor in outside:
        size = _size(tensor)
        budget.spend(f"tensor {shown(tensor.name)!r}", 4 * size)
    for tensor in outside:
        tensor.raw_data = _read(tensor, folder)
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
    return bool(outside)


def _tensors(graph: Any) -> Iterator[Any]:
    """The tensors that a network's numbers can stand in."""
    yield from graph.initializer
    for node in graph.node:
        if node.op_type in ("Constant", "ConstantOfShape"):
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t


def _read(tensor: Any, folder: Path) -> bytes:
    what = f"tensor {shown(tensor.name)!r}: its numbers are in another file"
    about = {entry.key: entry.value for entry in tensor.external_data}
    location = about.get("location", "")
    relative = Path(location)
    if not location or "\0" in location or relative.is_absolute() or ".." in relative.parts:
        raise InputError(f"{what}, {shown(location)!r}, that is not in the network's folder")
    path = folder / relative
    try:
        inside = path.parent.resolve().is_relative_to(folder.resolve()) and not path.is_symlink()
    except OSError as error:
        raise InputError(f"{what}, {shown(location)!r}, that cannot be found") from error
    if not inside:
        raise InputError(
            f"{what}, {shown(location)!r}, that leads out of the network's folder; copy it there"
        )
    size = _size(tensor)
    try:
        offset, length = int(about.get("offset", "0")), int(about.get("length", size))
    except ValueError as error:
        raise InputError(f"{what}, and where in it is no number; repair the file") from error
    content = b""
    try:
        with opened(path) as file:
            there = size_of(file)
            if length == size and 0 <= offset <= there - size:
                file.seek(offset)
                content = file.read(size)
    except (InputError, OSError) as error:
        raise InputError(
            f"its weights are in another file that cannot be read ({shown(location)!r}); put that "
            "file beside it"
        ) from error
    if len(content) != size or length != size:
        raise InputError(
            f"{what}, {shown(location)!r}; {size} bytes are needed, {shown(length)} from "
            f"{shown(offset)} on announced, and the file has {there}"
        )
    return content


def _size(tensor: Any) -> int:
    """The bytes that the numbers of a tensor take; InputError where its type has no size."""
    width = _width(tensor.data_type)
    if width is None:
        raise InputError(
            f"tensor {shown(tensor.name)!r}: of a type that has no numbers in another file"
        )
    return (entries_of(tensor) * width + 7) // 8


def _width(code: int) -> int | None:
    """The bits that an entry of an element type takes in raw data; None where it has none."""
    if code in _PACKED:
        return _PACKED[code]
    if code in (onnx.TensorProto.UNDEFINED, onnx.TensorProto.STRING):
        return None
    try:
        return 8 * int(onnx.helper.tensor_dtype_to_np_dtype(code).itemsize)
    except KeyError:
        return None


_PACKED = {
    number: bits
    for name, bits in (("INT4", 4), ("UINT4", 4), ("FLOAT4E2M1", 4), ("INT2", 2), ("UINT2", 2))
    for number in [dict(onnx.TensorProto.DataType.items()).get(name)]
    if number is not None
}
"""Types of which several entries share a byte, as far as the installed onnx knows them."""
