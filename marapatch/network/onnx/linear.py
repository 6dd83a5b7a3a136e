"""ONNX operators that are affine without being patched: arithmetic, normalisation, averages.

Sums and products with constants of the file are exact. A quotient (of Div, an average, or
``scale / sqrt(var + eps)`` of BatchNormalization) is rounded to float64; the network is the
function with those numbers.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError, UnsupportedOperatorError
from marapatch.files.reading import shown
from marapatch.network.layers import Array, Sum
from marapatch.network.onnx.graph import Builder, Constant, Registry, Tensor, Value
from marapatch.network.onnx.node import Node
from marapatch.network.onnx.products import join_bias
from marapatch.network.onnx.windows import read_windows


def batch_normalization(builder: Builder, node: Node) -> Tensor:
    """``(x - mean) * scale / sqrt(var + eps) + shift``, channel by channel, at inference."""
    epsilon = node.take("epsilon", 1e-5)
    node.take("momentum")
    node.allow("training_mode", 0)
    node.allow("spatial", 1)
    x = builder.value(node, 0)
    scale, shift, mean, variance = (builder.constant(node, k).numbers() for k in range(1, 5))
    if len(x.shape) < 2 or any(a.shape != (x.shape[1],) for a in (scale, shift, mean, variance)):
        raise InputError(f"{node.label}: its constants do not fit an input of shape {x.shape}")
    if not (variance + epsilon > 0.0).all():
        raise InputError(f"{node.label}: var + epsilon must be positive; repair the file")
    factor = scale / np.sqrt(variance + epsilon)
    if not np.isfinite(factor).all() or ((factor == 0.0) & (scale != 0.0)).any():
        raise InputError(f"{node.label}: scale / sqrt(var + epsilon) leaves the range of float64")
    column = (-1,) + (1,) * (len(x.shape) - 2)
    offset = shift - mean * factor
    if not _exact_offset(offset, shift, mean, factor):
        # As a layer of its own: a rounded sum would make another network of it.
        name, centre = f"{node.output}.centred", (-mean).reshape(column)
        x = _diagonal(builder, node, x, np.ones(()), centre, name=name)
        offset = shift
    return _diagonal(builder, node, x, factor.reshape(column), offset.reshape(column))


def _exact_offset(offset: Array, shift: Array, mean: Array, factor: Array) -> bool:
    """Whether ``offset`` is ``shift - mean * factor`` without any rounding."""
    if not np.isfinite(offset).all():
        return False
    rows = zip(*(a.tolist() for a in (offset, shift, mean, factor)), strict=True)
    return all(Fraction(o) == Fraction(s) - Fraction(m) * Fraction(f) for o, s, m, f in rows)


def add(builder: Builder, node: Node) -> Tensor:
    """The sum of two branches, or of one and a constant."""
    return _plus(builder, node, 1.0)


def sub(builder: Builder, node: Node) -> Tensor:
    """The difference of two branches, or of one and a constant."""
    return _plus(builder, node, -1.0)


def _plus(builder: Builder, node: Node, sign: float) -> Tensor:
    left, right = builder.operand(node, 0), builder.operand(node, 1)
    match left, right:
        case Value(), Value():
            return _sum(builder, node, [left, right], (1.0, sign))
        case Value(), Constant():
            if sign > 0.0:
                joined = join_bias(builder, node, left, right, node.input(0))
                if joined is not None:
                    return joined
            return _diagonal(builder, node, left, np.ones(()), sign * right.numbers())
        case Constant(), Value():
            if sign > 0.0:
                joined = join_bias(builder, node, right, left, node.input(1))
                if joined is not None:
                    return joined
            return _diagonal(builder, node, right, np.array(sign), left.numbers())
        case _:
            raise _folded(node)


def _sum(
    builder: Builder, node: Node, values: list[Value], coefficients: tuple[float, ...]
) -> Value:
    try:
        shape = np.broadcast_shapes(*(value.shape for value in values))
    except ValueError as error:
        raise _misfit(node, [value.shape for value in values]) from error
    builder.room(node, (*shape, len(values)))
    values = [value.move(lambda a: np.broadcast_to(a, shape)) for value in values]
    bijections = [builder.bijective(value) for value in values]
    order = bijections[0][1]
    if all(np.array_equal(other, order) for _, other in bijections):
        nodes = tuple(base for base, _ in bijections)
        result = builder.add(node.output, Sum(coefficients), nodes, (order.size,))
        return Value(result.node, order.reshape(shape))
    nodes = tuple(builder.select(value) for value in values)
    return builder.add(node.output, Sum(coefficients), nodes, shape)


def total(builder: Builder, node: Node) -> Tensor:
    """The sum of any number of branches."""
    values = [builder.value(node, k) for k in range(len(node.proto.input))]
    return _sum(builder, node, values, (1.0,) * len(values))


def mul(builder: Builder, node: Node) -> Tensor:
    """The product with a constant."""
    left, right = builder.operand(node, 0), builder.operand(node, 1)
    match left, right:
        case Value(), Constant():
            return _diagonal(builder, node, left, right.numbers(), np.zeros(()))
        case Constant(), Value():
            return _diagonal(builder, node, right, left.numbers(), np.zeros(()))
        case Value(), Value():
            raise UnsupportedOperatorError(
                f"{node.label}: the product of two values that depend on the input is not "
                "piecewise linear; one factor must be a constant"
            )
        case _:
            raise _folded(node)


def div(builder: Builder, node: Node) -> Tensor:
    """The quotient by a constant."""
    divisor = builder.constant(node, 1).numbers()
    if not divisor.all():
        raise InputError(f"{node.label}: divides by zero; repair the file")
    with np.errstate(over="ignore"):
        factor = 1.0 / divisor
    return _diagonal(builder, node, builder.value(node, 0), factor, np.zeros(()))


def neg(builder: Builder, node: Node) -> Tensor:
    """The negative."""
    return _diagonal(builder, node, builder.value(node, 0), -np.ones(()), np.zeros(()))


def _diagonal(
    builder: Builder,
    node: Node,
    x: Value,
    scale: NDArray[Any],
    shift: NDArray[Any],
    *,
    name: str | None = None,
) -> Value:
    """``scale * x + shift`` with broadcasting; no layer at all where that is x."""
    try:
        shape = np.broadcast_shapes(x.shape, scale.shape, shift.shape)
    except ValueError as error:
        raise _misfit(node, [x.shape, scale.shape, shift.shape]) from error
    if shape == x.shape and not shift.any() and (scale == 1.0).all():
        return x
    builder.coefficients(node, prod(shape))
    wide = x.move(lambda a: np.broadcast_to(a, shape))
    rows = np.arange(wide.size)
    data = np.broadcast_to(scale, shape).reshape(-1)
    return builder.linear(name or node.output, wide, (rows, rows), data, shift, shape=shape)


def average_pool(builder: Builder, node: Node) -> Tensor:
    """The mean of each window, with or without the padding in it."""
    x = builder.value(node, 0)
    padding_counts = node.take("count_include_pad", 0)
    windows = read_windows(node, x.shape[2:], None)
    builder.coefficients(node, windows.entries * prod(x.shape[:2]))
    positions = windows.positions()
    inside = positions >= 0
    divisor = np.full(positions.shape[0], positions.shape[1]) if padding_counts else inside.sum(1)
    if not divisor.all():
        raise UnsupportedOperatorError(f"{node.label}: a window lies wholly in the padding")
    window, entry = np.nonzero(inside)
    planes, pixels = prod(x.shape[:2]), prod(x.shape[2:])
    plane = np.arange(planes)[:, None]
    rows = (plane * positions.shape[0] + window).reshape(-1)
    columns = (plane * pixels + positions[window, entry]).reshape(-1)
    data = np.broadcast_to(1.0 / divisor[window], (planes, window.size)).reshape(-1)
    shape = (*x.shape[:2], *windows.shape)
    return builder.linear(node.output, x, (rows, columns), data, np.zeros(()), shape=shape)


def global_average_pool(builder: Builder, node: Node) -> Tensor:
    """The mean of each channel."""
    x = builder.value(node, 0)
    pixels = prod(x.shape[2:])
    builder.coefficients(node, x.size)
    columns = np.arange(x.size)
    shape = (*x.shape[:2], *(1 for _ in x.shape[2:]))
    places = (columns // pixels, columns)
    return builder.linear(node.output, x, places, 1.0 / pixels, np.zeros(()), shape=shape)


def _misfit(node: Node, shapes: list[tuple[int, ...]]) -> InputError:
    return InputError(f"{node.label}: shapes {shown(shapes)} do not broadcast against each other")


def _folded(node: Node) -> UnsupportedOperatorError:
    return UnsupportedOperatorError(
        f"{node.label}: arithmetic on floating-point constants is not supported; "
        "re-export with constants folded"
    )


LINEAR: Registry = {
    "Add": add,
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Div": div,
    "GlobalAveragePool": global_average_pool,
    "Mul": mul,
    "Neg": neg,
    "Sub": sub,
    "Sum": total,
}
