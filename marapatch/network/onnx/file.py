"""ONNX files as protobuf messages: opened, checked from outside, and written back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import (  # type: ignore[import-untyped]  # protobuf ships no type information
    DecodeError,
    EncodeError,
)
from numpy.typing import NDArray
from onnx import numpy_helper

from marapatch.errors import InputError, UnsupportedOperatorError
from marapatch.files.reading import one_line, read_bytes, shown, unpacked
from marapatch.network.onnx.parts import check_parts
from marapatch.network.onnx.tensors import MAX_AXES, embed

OLDEST_OPSET = 7
"""Before it, broadcasting was written in another way."""

ONNX_BYTES = 4.0
"""For each byte of a file: its content, the message parsed from it, and room for copies."""

FLOATS: Mapping[int, np.dtype[np.floating]] = {
    int(onnx.TensorProto.FLOAT): np.dtype(np.float32),
    int(onnx.TensorProto.DOUBLE): np.dtype(np.float64),
}
"""The types in which a network may take its input."""


def read_model(path: Path) -> tuple[Any, bytes]:
    """The ModelProto in ``path``, and the file's content (external data, if any, moved inside).

    Raises InputError, naming the file, where it is none, has too many parts, or needs more than
    the memory limit.
    """
    content = unpacked(path, read_bytes(path, ONNX_BYTES), ONNX_BYTES)
    try:
        model = parse_model(content)
        if embed(model, path.parent):
            content = model.SerializeToString()
    except (InputError, EncodeError, ValueError) as error:
        raise InputError(f"{path}: {one_line(error)}") from error
    return model, content


def parse_model(content: bytes) -> Any:
    """The ModelProto in ``content``; InputError where it is none, or cut off."""
    check_parts(content)
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise InputError(f"is no ONNX file, or cut off ({_line(error)})") from error
    if not model.graph.output:
        raise InputError("is no ONNX file: there is no graph with an output in it")
    return model


def check_model(model: Any) -> int:
    """The version of the operator set; refuses what no operator reader could notice."""
    versions = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
    version = max(versions, default=1)
    if version < OLDEST_OPSET:
        raise UnsupportedOperatorError(
            f"operator set {version} is older than {OLDEST_OPSET}; re-export with a newer one"
        )
    newest = onnx.defs.onnx_opset_version()
    if version > newest:
        raise UnsupportedOperatorError(
            f"operator set {version} is newer than {newest}, the newest that the installed onnx "
            "knows; re-export with an older one, or install a newer onnx"
        )
    if any(function.domain in ("", "ai.onnx") for function in model.functions):
        raise UnsupportedOperatorError(
            "it gives standard operators a meaning of its own (functions); re-export without"
        )
    if model.graph.sparse_initializer:
        raise UnsupportedOperatorError("sparse initializers are not supported; store them dense")
    return int(version)


def check_names(graph: Any) -> None:
    """Refuse a tensor that is defined twice (which of the two is meant, nobody can tell) or not
    before it is used, and names that are no text; also where the output does not depend on it."""
    values = (*graph.input, *graph.output, *graph.initializer)
    names = [value.name for value in values]
    names += [name for node in graph.node for name in (*node.input, *node.output)]
    if not all(isinstance(name, str) for name in names):  # protobuf gives bytes then
        raise InputError("a name in it is not UTF-8; repair the file")
    given = {value.name for value in graph.input}
    if len(given) < len(graph.input):
        raise InputError("an input is defined twice; repair the file")
    stored = {tensor.name for tensor in graph.initializer}
    if len(stored) < len(graph.initializer):
        raise InputError("an initializer is defined twice; repair the file")
    defined = given | stored
    for node in graph.node:
        for number, name in enumerate(node.input):
            if name and name not in defined:
                called = node.name or "".join(node.output[:1])
                raise InputError(
                    f"{shown(node.op_type)} {shown(called)!r}: its input {number} "
                    f"({shown(name)!r}) is not defined before it is used; repair the file"
                )
        for name in node.output:
            if name in defined:
                raise InputError(
                    f"tensor {shown(name)!r} is defined twice, by {shown(node.op_type)} "
                    f"{shown(node.name)!r} again; repair the file"
                )
            if name:
                defined.add(name)


def check_node(label: str, node: Any, opset: int) -> None:
    """Refuse a node whose attributes or numbers of inputs do not fit its operator."""
    context = onnx.checker.C.CheckerContext()
    context.ir_version = onnx.IR_VERSION
    context.opset_imports = {"": opset, "ai.onnx": opset}
    try:
        onnx.checker.check_node(node, context)
    except (onnx.checker.ValidationError, UnicodeDecodeError) as error:
        raise InputError(f"{label} is malformed ({_line(error)}); repair the file") from error


def sole_input(graph: Any) -> Any:
    """The one input that is no initializer."""
    stored = {tensor.name for tensor in graph.initializer}
    names = [value.name for value in graph.input if value.name not in stored]
    if len(names) != 1:
        raise InputError(
            f"has {len(names)} inputs {shown(names)}; a network with exactly 1 is needed"
        )
    return next(value for value in graph.input if value.name == names[0])


def sole_output(graph: Any) -> str:
    """The name of the one output."""
    names = [value.name for value in graph.output]
    if len(names) != 1:
        raise InputError(
            f"has {len(names)} outputs {shown(names)}; a network with exactly 1 is needed"
        )
    return str(names[0])


def shape_of_input(value: Any) -> tuple[int, ...]:
    """The shape at batch 1: the first axis must be dynamic or 1, every other one fixed."""
    tensor = value.type.tensor_type
    name = f"input {shown(value.name)!r}"
    if not tensor.HasField("shape") or not 2 <= len(tensor.shape.dim) <= MAX_AXES:
        sizes = [d.dim_param or d.dim_value for d in tensor.shape.dim]
        raise InputError(
            f"{name} has shape {shown(sizes)}; a batch axis and at least one more are "
            "needed: re-export with a shape such as [1, 5]"
        )
    for axis, size in enumerate(tensor.shape.dim):
        if size.HasField("dim_value") and size.dim_value < 1:
            raise InputError(
                f"{name}: axis {axis} has size {size.dim_value}, so there is nothing to decide "
                "about; re-export with a size of at least 1"
            )
    batch, *rest = tensor.shape.dim
    if batch.dim_value > 1:
        raise InputError(
            f"{name}: axis 0 (the batch) is fixed at {batch.dim_value}; "
            "re-export with a batch of 1 or a dynamic one"
        )
    for axis, size in enumerate(rest, start=1):
        if not size.HasField("dim_value"):
            called = f" ({shown(size.dim_param)!r})" if size.dim_param else ""
            raise InputError(
                f"{name}: axis {axis}{called} is dynamic; only the batch axis may "
                "be: re-export with a fixed size"
            )
    return (1, *(int(size.dim_value) for size in rest))


def type_name(code: int) -> str:
    """The name of an element type, or its number where it has none."""
    names = {number: name for name, number in onnx.TensorProto.DataType.items()}
    return str(names.get(code, code))


def dtype_of_input(value: Any) -> np.dtype[np.floating]:
    """The type in which the network takes its input: float32 or float64."""
    code = value.type.tensor_type.elem_type
    if code not in FLOATS:
        raise InputError(
            f"input {shown(value.name)!r} has type {type_name(code)}; re-export with a float or "
            "double input"
        )
    return FLOATS[code]


def replace_tensors(
    content: bytes, changes: Iterable[tuple[str, NDArray[np.int64], NDArray[Any]]]
) -> bytes:
    """``content`` with numbers of tensors replaced, everything else as it was.

    ``changes``: a tensor's name, positions in the flat tensor, the new numbers there. A tensor is
    an initializer or the output of a Constant node. Where no bit changes the content is returned
    as it is.
    """
    model = parse_model(content)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    tensors.setdefault(node.output[0], attribute.t)
    touched = False
    for name, positions, numbers in changes:
        old = numpy_helper.to_array(tensors[name])
        new = np.array(old)
        new.reshape(-1)[positions] = numbers
        if new.tobytes() != old.tobytes():
            tensors[name].CopyFrom(numpy_helper.from_array(new, tensors[name].name))
            touched = True
    return bytes(model.SerializeToString()) if touched else content


def _line(error: Exception) -> str:
    """The error's message in one line."""
    return " ".join(str(error).split())[:200]
