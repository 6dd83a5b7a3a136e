"""ONNX operators that only move entries about.

A move is a function on arrays: applied to a constant's numbers, or to the index of a value, so
that no layer comes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from marapatch.errors import InputError, UnsupportedOperatorError
from marapatch.files.reading import shown
from marapatch.network.layers import Concat
from marapatch.network.onnx.file import FLOATS, type_name
from marapatch.network.onnx.graph import Builder, Constant, Registry, Tensor, Value
from marapatch.network.onnx.node import Node

Move = Callable[[NDArray[Any]], NDArray[Any]]


def _moved(builder: Builder, node: Node, move: Move) -> Tensor:
    tensor = builder.operand(node, 0)
    try:
        return tensor.move(move)
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        shape = tensor.shape if isinstance(tensor, Value) else tensor.values.shape
        raise InputError(f"{node.label}: does not fit a tensor of shape {shown(shape)}") from error


def _integers(builder: Builder, node: Node, number: int, attribute: str) -> list[int] | None:
    """What newer operator sets give as an input and older ones as an attribute."""
    found = node.take(attribute)
    constant = builder.optional(node, number)
    if constant is not None:
        return constant.integers()
    return None if found is None else [int(entry) for entry in found]


def identity(builder: Builder, node: Node) -> Tensor:
    """The same tensor."""
    return builder.operand(node, 0)


def dropout(builder: Builder, node: Node) -> Tensor:
    """Nothing, at inference."""
    node.take("ratio")
    node.take("seed")
    node.allow("is_test", 0, 1)
    training = builder.optional(node, 2)
    if training is not None and training.values.any():
        raise UnsupportedOperatorError(
            f"{node.label}: training_mode is on; re-export the network for inference"
        )
    return builder.operand(node, 0)


def cast(builder: Builder, node: Node) -> Tensor:
    """A change of type: of a constant to any, of a value only to one that float64 covers."""
    target = int(node.take("to"))
    node.take("saturate")
    node.take("round_mode")
    tensor = builder.operand(node, 0)
    if isinstance(tensor, Constant):
        try:
            dtype = onnx.helper.tensor_dtype_to_np_dtype(target)
        except KeyError as error:
            raise node.unsupported("to", target) from error
        same = dtype == tensor.values.dtype
        positions = tensor.positions if same else None
        return Constant(tensor.values.astype(dtype), tensor.name, positions)
    if target not in FLOATS:
        raise node.unsupported("to", type_name(target))
    return tensor


def reshape(builder: Builder, node: Node) -> Tensor:
    """The same entries in another shape; 0 keeps a size, -1 is worked out."""
    target = builder.constant(node, 1).integers()
    if min(target, default=0) < -1:
        raise InputError(f"{node.label}: {shown(target)} is no shape")
    zeros_are_sizes = not node.take("allowzero", 0)

    def move(array: NDArray[Any]) -> NDArray[Any]:
        shape = [array.shape[k] if n == 0 and zeros_are_sizes else n for k, n in enumerate(target)]
        return array.reshape(shape)

    return _moved(builder, node, move)


def flatten(builder: Builder, node: Node) -> Tensor:
    """A matrix: axes before ``axis``, axes from it on."""
    axis = node.take("axis", 1)

    def move(array: NDArray[Any]) -> NDArray[Any]:
        split = axis if axis >= 0 else axis + array.ndim
        return array.reshape(prod(array.shape[:split]), prod(array.shape[split:]))

    return _moved(builder, node, move)


def squeeze(builder: Builder, node: Node) -> Tensor:
    """Axes of size 1 dropped."""
    axes = _integers(builder, node, 1, "axes")
    return _moved(builder, node, lambda a: np.squeeze(a, None if axes is None else tuple(axes)))


def unsqueeze(builder: Builder, node: Node) -> Tensor:
    """Axes of size 1 inserted."""
    axes = _integers(builder, node, 1, "axes")
    if axes is None:
        raise InputError(f"{node.label}: names no axes")
    return _moved(builder, node, lambda a: np.expand_dims(a, tuple(axes)))


def transpose(builder: Builder, node: Node) -> Tensor:
    """Axes in another order."""
    order = node.take("perm")
    if order is not None and sorted(order) != list(range(len(order))):
        raise InputError(f"{node.label}: perm {shown(list(order))} is no order of axes")
    return _moved(builder, node, lambda a: np.transpose(a, order))


def slices(builder: Builder, node: Node) -> Tensor:
    """A part of the entries along some axes, with steps."""
    starts = _integers(builder, node, 1, "starts")
    ends = _integers(builder, node, 2, "ends")
    axes = _integers(builder, node, 3, "axes")
    steps = _integers(builder, node, 4, "steps")
    if starts is None or ends is None:
        raise InputError(f"{node.label}: names no starts or ends")
    along = list(range(len(starts))) if axes is None else axes
    strides = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(along) == len(strides) or 0 in strides:
        raise InputError(f"{node.label}: starts, ends, axes and steps do not fit each other")

    def move(array: NDArray[Any]) -> NDArray[Any]:
        for start, end, axis, step in zip(starts, ends, along, strides, strict=True):
            array = np.take(array, _range(start, end, step, array.shape[axis]), axis)
        return array

    return _moved(builder, node, move)


def _range(start: int, end: int, step: int, size: int) -> NDArray[np.int64]:
    """The places that a slice takes of an axis of ``size`` (ONNX: Slice-13)."""
    low, high = (0, size) if step > 0 else (-1, size - 1)
    first, last = (n + size if n < 0 else n for n in (start, end))
    first = min(max(first, 0), high)
    return np.arange(first, min(max(last, low), high), step)


def gather(builder: Builder, node: Node) -> Tensor:
    """Entries at given places of an axis."""
    axis = node.take("axis", 0)
    places = builder.constant(node, 1).values
    tensor = builder.operand(node, 0)
    shape = tensor.shape if isinstance(tensor, Value) else tensor.values.shape
    if not -len(shape) <= axis < len(shape) or places.dtype.kind not in "iu":
        raise InputError(f"{node.label}: does not fit a tensor of shape {shown(shape)}")
    builder.room(node, (*shape[:axis], *shape[axis % len(shape) + 1 :], *places.shape))
    return _moved(builder, node, lambda a: np.take(a, places, axis))


def expand(builder: Builder, node: Node) -> Tensor:
    """Repeated along axes of size 1."""
    target = builder.constant(node, 1).integers()

    def move(array: NDArray[Any]) -> NDArray[Any]:
        shape = np.broadcast_shapes(array.shape, target)
        builder.room(node, shape)
        return np.broadcast_to(array, shape)

    return _moved(builder, node, move)


def pad(builder: Builder, node: Node) -> Tensor:
    """Padded with a constant, or with entries of the tensor itself; negative pads crop."""
    mode = node.take("mode", "constant")
    filler = float(node.take("value", 0.0))
    widths = _integers(builder, node, 1, "pads")
    constant, axes = builder.optional(node, 2), builder.optional(node, 3)
    if constant is not None:
        if constant.values.size != 1:
            raise InputError(f"{node.label}: the constant it pads with must be one number")
        filler = float(constant.numbers().reshape(-1)[0])
    if mode not in ("constant", "reflect", "edge", "wrap"):
        raise node.unsupported("mode", mode)
    x = builder.value(node, 0)
    rank = len(x.shape)
    along = list(range(rank)) if axes is None else axes.integers()
    if widths is None or len(widths) != 2 * len(along) or not set(along) <= set(range(-rank, rank)):
        raise InputError(f"{node.label}: its pads do not fit {shown(x.shape)}")
    pairs, cut = [(0, 0)] * rank, [slice(None)] * rank
    for k, axis in enumerate(along):
        before, after = widths[k], widths[k + len(along)]
        pairs[axis] = (max(before, 0), max(after, 0))
        cut[axis] = slice(max(-before, 0), max(x.shape[axis] + min(after, 0), 0))
    x = x.move(lambda a: a[tuple(cut)])
    shape = [n + sum(widths) for n, widths in zip(x.shape, pairs, strict=True)]
    builder.room(node, shape)
    if mode != "constant" or not any(a or b for a, b in pairs):
        return x if mode == "constant" else _padded(node, x, pairs, mode)
    # Counted high: its layer is put together of half a dozen arrays of the padded size, and a few
    # bytes of a file can double a tensor so, layer after layer.
    builder.coefficients(node, 6 * prod(shape))
    places = np.pad(np.arange(x.size).reshape(x.shape), pairs, constant_values=-1)
    flat = places.reshape(-1)
    rows = np.flatnonzero(flat >= 0)
    bias = np.where(places < 0, filler, 0.0)
    return builder.linear(node.output, x, (rows, flat[rows]), np.ones(()), bias, shape=places.shape)


def _padded(node: Node, x: Value, pairs: list[tuple[int, int]], mode: Any) -> Value:
    try:
        return x.move(lambda a: np.pad(a, pairs, mode))
    except ValueError as error:
        raise InputError(f"{node.label}: its pads do not fit {shown(x.shape)}") from error


def concat(builder: Builder, node: Node) -> Tensor:
    """Tensors joined along an axis; each node among them is taken once."""
    axis = node.take("axis")
    operands = builder.operands(node)
    shapes = [o.shape if isinstance(o, Value) else o.values.shape for o in operands]
    builder.room(node, [sum(prod(shape) for shape in shapes)])
    if all(isinstance(operand, Constant) for operand in operands):
        arrays = [operand.values for operand in operands if isinstance(operand, Constant)]
        return Constant(_joined(node, arrays, axis), node.output)
    offsets: dict[str, int] = {}
    end = 0
    parts = []
    for k, operand in enumerate(operands):
        value = (
            builder.steady(f"{node.output}/{k}", operand.numbers())
            if isinstance(operand, Constant)
            else operand
        )
        if value.node not in offsets:
            offsets[value.node] = end
            end += builder.sizes[value.node]
        parts.append(value.index + offsets[value.node])
    index = _joined(node, parts, axis)
    if len(offsets) == 1:
        return Value(next(iter(offsets)), index)
    result = builder.add(node.output, Concat(), tuple(offsets), (end,))
    return Value(result.node, index)


def _joined(node: Node, arrays: list[NDArray[Any]], axis: int) -> NDArray[Any]:
    try:
        return np.concatenate(arrays, axis)
    except ValueError as error:
        shapes = [array.shape for array in arrays]
        raise InputError(
            f"{node.label}: shapes {shown(shapes)} do not join along axis {axis}"
        ) from error


MOVES: Registry = {
    "Cast": cast,
    "Concat": concat,
    "Dropout": dropout,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    "Identity": identity,
    "Pad": pad,
    "Reshape": reshape,
    "Slice": slices,
    "Squeeze": squeeze,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
