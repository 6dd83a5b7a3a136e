"""ONNX operators that make constants, and integer arithmetic on them.

Exporters work out shapes with these; at batch 1 every shape is known, so all of it folds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError, UnsupportedOperatorError
from marapatch.files.reading import one_line
from marapatch.network.onnx.graph import Builder, Constant, Registry, Tensor, Value
from marapatch.network.onnx.node import Node
from marapatch.network.onnx.tensors import MAX_AXES, decoded


def constant(builder: Builder, node: Node) -> Tensor:
    """A tensor written into the graph."""
    forms = (
        ("value_float", "f4"), ("value_floats", "f4"), ("value_int", "i8"), ("value_ints", "i8"),
    )  # fmt: skip
    for name, dtype in forms:
        if name in node.attributes:
            return Constant(np.array(node.take(name), dtype=dtype), node.output)
    if "value" not in node.attributes:
        raise UnsupportedOperatorError(f"{node.label}: holds no dense tensor")
    return builder.stored(node.take("value"), node.output)


def shape(builder: Builder, node: Node) -> Tensor:
    """The shape of a tensor, the batch axis being 1."""
    tensor = builder.operand(node, 0)
    sizes = tensor.shape if isinstance(tensor, Value) else tensor.values.shape
    part = slice(node.take("start", 0), node.take("end", len(sizes)))
    return Constant(np.array(sizes[part], dtype=np.int64), node.output)


def _fold_constant_of_shape(node: Node, target: NDArray[Any]) -> NDArray[Any]:
    tensor = node.take("value")
    filler = np.zeros(1, np.float32) if tensor is None else decoded(tensor, node.output)
    if target.ndim != 1 or target.size > MAX_AXES or filler.size != 1:
        raise ValueError("a shape and one number are needed")
    return np.full(target.tolist(), filler.reshape(-1)[0])


def _truncated(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Integer division towards 0, as ONNX has it."""
    if not right.all():
        raise ValueError("division by zero")
    return np.asarray(np.sign(left) * np.sign(right) * (np.abs(left) // np.abs(right)))


def _fold_product(node: Node, array: NDArray[Any], axes: NDArray[Any] | None = None) -> Any:
    keep = bool(node.take("keepdims", 1))
    node.allow("noop_with_empty_axes", 0)
    along = node.take("axes") if axes is None else axes.tolist()
    return np.prod(array, None if along is None else tuple(along), keepdims=keep)


FOLDS: Mapping[str, Callable[..., NDArray[Any]]] = {
    "Add": lambda node, a, b: a + b,
    "Sub": lambda node, a, b: a - b,
    "Mul": lambda node, a, b: a * b,
    "Div": lambda node, a, b: _truncated(a, b),
    "Equal": lambda node, a, b: np.asarray(a == b),
    "Where": lambda node, c, a, b: np.asarray(np.where(c, a, b)),
    "Range": lambda node, a, b, c: np.arange(*(int(n.reshape(-1)[0]) for n in (a, b, c))),
    "ReduceProd": _fold_product,
    "ConstantOfShape": _fold_constant_of_shape,
}
"""Arithmetic on integer constants, with which exporters work out shapes."""


def fold(builder: Builder, node: Node) -> Constant | None:
    """The result where every input is a constant of integers; None where one is not."""
    if node.operator not in FOLDS:
        return None
    operands = builder.operands(node)
    arrays = [operand.values for operand in operands if isinstance(operand, Constant)]
    if len(arrays) < len(operands) or any(array.dtype.kind not in "iub" for array in arrays):
        return None
    try:
        builder.room(node, _shape_folded(node, arrays))
        return Constant(np.asarray(FOLDS[node.operator](node, *arrays)), node.output)
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{node.label}: cannot be worked out ({one_line(error)})") from error


def _shape_folded(node: Node, arrays: list[NDArray[Any]]) -> Iterable[int]:
    """The shape of what :data:`FOLDS` gives, or of the largest array on the way."""
    match node.operator:
        case "Range":
            start, end, step = (int(array.reshape(-1)[0]) for array in arrays)
            return [] if step == 0 else [max(-((start - end) // step), 0)]
        case "ConstantOfShape":
            return [max(int(n), 0) for n in arrays[0].reshape(-1)[:MAX_AXES]]
        case "ReduceProd":
            return arrays[0].shape
        case _:
            return np.broadcast_shapes(*(array.shape for array in arrays))


CONSTANTS: Registry = {"Constant": constant, "Shape": shape}
