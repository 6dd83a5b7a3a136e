"""ONNX operators that are piecewise linear: Relu, LeakyRelu, Abs, Clip, Max, Min, MaxPool."""

from __future__ import annotations

from math import inf, isfinite, prod

import numpy as np

from marapatch.errors import InputError, UnsupportedOperatorError
from marapatch.network.layers import Abs, Clip, LeakyRelu, Maximum, MaxPool, Relu, Sum
from marapatch.network.onnx.graph import Builder, Constant, Registry, Tensor, Value
from marapatch.network.onnx.node import Node
from marapatch.network.onnx.windows import read_windows

LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
"""The largest number that an attribute can hold."""


def relu(builder: Builder, node: Node) -> Tensor:
    """``max(x, 0)``."""
    return builder.entrywise(node.output, Relu(), builder.value(node, 0))


def leaky_relu(builder: Builder, node: Node) -> Tensor:
    """``x`` where positive, ``alpha x`` elsewhere."""
    slope = float(node.take("alpha", float(np.float32(0.01))))
    if not isfinite(slope):
        raise node.unsupported("alpha", slope)
    return builder.entrywise(node.output, LeakyRelu(slope), builder.value(node, 0))


def absolute(builder: Builder, node: Node) -> Tensor:
    """``|x|``."""
    return builder.entrywise(node.output, Abs(), builder.value(node, 0))


def clip(builder: Builder, node: Node) -> Tensor:
    """``min(max(x, low), high)``, the bounds as attributes or as inputs."""
    bounds = []
    for number, attribute, sign in ((1, "min", -1.0), (2, "max", 1.0)):
        bound, largest = float(node.take(attribute, sign * inf)), LARGEST_FLOAT32
        constant = builder.optional(node, number)
        if constant is not None:
            bound, largest = _scalar(node, constant), _largest(constant)
        # Exporters write "no bound" as the largest number of the type.
        bounds.append(sign * inf if sign * bound >= largest else bound)
    return _clip(builder, node, builder.value(node, 0), *bounds)


def _largest(constant: Constant) -> float:
    kind = constant.values.dtype
    return float(np.finfo(kind).max) if np.issubdtype(kind, np.floating) else inf


def _scalar(node: Node, constant: Constant) -> float:
    if constant.values.size != 1 or np.isnan(constant.values).any():
        raise InputError(f"{node.label}: {constant.name!r} must be one number and not NaN")
    return float(constant.values.reshape(-1)[0])


def _clip(builder: Builder, node: Node, x: Value, low: float, high: float) -> Value:
    if not low <= high or low == inf or high == -inf:  # NaN too
        raise InputError(f"{node.label}: its bounds [{low}, {high}] are empty; repair the file")
    if not isfinite(low) and not isfinite(high):
        return x
    layer = Relu() if (low, high) == (0.0, inf) else Clip(low, high)
    return builder.entrywise(node.output, layer, x)


def maximum(builder: Builder, node: Node) -> Tensor:
    """The entry-wise maximum of branches and constants."""
    return _extreme(builder, node, 1.0)


def minimum(builder: Builder, node: Node) -> Tensor:
    """The entry-wise minimum, as ``-max(-x, -y)``."""
    return _extreme(builder, node, -1.0)


def _extreme(builder: Builder, node: Node, sign: float) -> Value:
    """``sign * max(sign * x for x in operands)``."""
    operands = builder.operands(node)
    values = [operand for operand in operands if isinstance(operand, Value)]
    constants = [operand for operand in operands if isinstance(operand, Constant)]
    if not values:
        raise UnsupportedOperatorError(f"{node.label}: of constants only; re-export them folded")
    try:
        shape = np.broadcast_shapes(
            *(v.shape for v in values), *(c.values.shape for c in constants)
        )
    except ValueError as error:
        raise InputError(f"{node.label}: its inputs do not broadcast") from error
    builder.room(node, (*shape, len(operands)))
    if len(values) == 1 and shape == values[0].shape:
        bounds = [sign * bound for c in constants for bound in c.numbers().reshape(-1).tolist()]
        if all(c.values.size == 1 for c in constants):
            bound = max(bounds, default=-inf) * sign
            low, high = (bound, inf) if sign > 0.0 else (-inf, bound)
            return _clip(builder, node, values[0], low, high)
    nodes = [builder.select(v.move(lambda a: np.broadcast_to(a, shape))) for v in values]
    for constant in constants:
        spread = np.broadcast_to(constant.numbers(), shape)
        nodes.append(builder.steady(f"{node.output}/{constant.name}", spread).node)
    if sign < 0.0:
        nodes = [
            builder.add(f"{node.output}/minus{k}", Sum((-1.0,)), (name,), shape).node
            for k, name in enumerate(nodes)
        ]
    result = builder.add(node.output, Maximum(), tuple(nodes), shape)
    if sign > 0.0:
        return result
    return builder.add(f"{node.output}/minus", Sum((-1.0,)), (result.node,), shape)


def max_pool(builder: Builder, node: Node) -> Tensor:
    """The maximum of each window; padding never wins."""
    node.allow("storage_order", 0)
    x = builder.value(node, 0)
    windows = read_windows(node, x.shape[2:], None)
    builder.coefficients(node, windows.entries * prod(x.shape[:2]))
    positions = windows.positions()
    inside = positions >= 0
    if not inside.any(axis=1).all():
        raise UnsupportedOperatorError(f"{node.label}: a window lies wholly in the padding")
    first = np.take_along_axis(positions, inside.argmax(axis=1)[:, None], axis=1)
    return _pool(builder, node, x, np.where(inside, positions, first), windows.shape)


def global_max_pool(builder: Builder, node: Node) -> Tensor:
    """The maximum of each channel."""
    x = builder.value(node, 0)
    positions = np.arange(prod(x.shape[2:]))[None, :]
    return _pool(builder, node, x, positions, tuple(1 for _ in x.shape[2:]))


def _pool(
    builder: Builder, node: Node, x: Value, positions: np.ndarray, image: tuple[int, ...]
) -> Value:
    planes, pixels = prod(x.shape[:2]), prod(x.shape[2:])
    members = (np.arange(planes)[:, None, None] * pixels + positions).reshape(
        -1, positions.shape[1]
    )
    groups = x.index.reshape(-1)[members]
    return builder.add(node.output, MaxPool(groups), (x.node,), (*x.shape[:2], *image))


PIECEWISE: Registry = {
    "Abs": absolute,
    "Clip": clip,
    "GlobalMaxPool": global_max_pool,
    "LeakyRelu": leaky_relu,
    "Max": maximum,
    "MaxPool": max_pool,
    "Min": minimum,
    "Relu": relu,
}
