"""ONNX operators with weights that can be patched: Gemm, MatMul and Conv. All exact."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from marapatch.errors import InputError, UnsupportedOperatorError
from marapatch.network.layers import Affine, Array
from marapatch.network.onnx.graph import Builder, Constant, Registry, Tensor, Value
from marapatch.network.onnx.node import Node
from marapatch.network.onnx.windows import read_windows
from marapatch.network.parameters import Kind, Parameters, Positions, Sharing, Stored
from marapatch.network.windows import convolution


def gemm(builder: Builder, node: Node) -> Tensor:
    """``alpha A' B' + beta C`` with constants B and C."""
    alpha, beta = node.take("alpha", 1.0), node.take("beta", 1.0)
    transposed, swapped = node.take("transA", 0), node.take("transB", 0)
    for name, flag in (("transA", transposed), ("transB", swapped)):
        if flag not in (0, 1):
            raise node.unsupported(name, flag)
    x, weight = builder.value(node, 0), builder.constant(node, 1)
    if len(x.shape) != 2 or weight.values.ndim != 2:
        raise InputError(f"{node.label}: its inputs must be matrices, not of shape {x.shape}")
    if transposed:
        x = x.move(np.transpose)
    if not swapped:
        weight = weight.move(np.transpose)
    bias = builder.optional(node, 2)
    weight = _scaled(node, "alpha", alpha, weight)
    if bias is not None:
        bias = _scaled(node, "beta", beta, bias)
    return _product(builder, node, Kind.GEMM, x=x, weight=weight, bias=bias)


def matmul(builder: Builder, node: Node) -> Tensor:
    """``x W`` with a constant matrix W, or ``W x``."""
    left, right = builder.operand(node, 0), builder.operand(node, 1)
    match left, right:
        case Value(), Constant(values=weight) if weight.ndim == 2:
            matrix = right.move(np.transpose)
            return _product(builder, node, Kind.MATMUL, x=left, weight=matrix, bias=None)
        case Constant(values=weight), Value() if weight.ndim == 2 and len(right.shape) == 2:
            x = right.move(np.transpose)
            product = _product(builder, node, Kind.MATMUL, x=x, weight=left, bias=None)
            return product.move(np.transpose)
        case Value(), Value():
            raise UnsupportedOperatorError(
                f"{node.label}: the product of two values that depend on the input is not "
                "piecewise linear; one factor must be a constant"
            )
        case _:
            raise UnsupportedOperatorError(
                f"{node.label}: a constant of shape {_shape(left)} times {_shape(right)} is not "
                "supported; use a constant matrix (2 axes)"
            )


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tensor.shape if isinstance(tensor, Value) else tensor.values.shape


def _scaled(node: Node, attribute: str, factor: float, constant: Constant) -> Constant:
    """``factor * constant``, which float64 holds exactly where both are at most float32."""
    if factor == 1.0:
        return constant
    if constant.values.dtype.itemsize > 4:
        raise node.unsupported(attribute, factor)
    return Constant(constant.numbers() * factor, constant.name)


def _product(
    builder: Builder, node: Node, kind: Kind, *, x: Value, weight: Constant, bias: Constant | None
) -> Value:
    """``x @ weight.T + bias`` for x (..., inputs), weight (outputs, inputs), bias to broadcast."""
    outputs, inputs = weight.values.shape
    *leading, last = x.shape
    if last != inputs:
        raise InputError(f"{node.label}: {x.shape} does not fit weights for {inputs} inputs")
    shape = (*leading, outputs)
    count = prod(leading)
    builder.room(node, shape)
    if count > 1:
        builder.coefficients(node, count * outputs * inputs)
    base, order = builder.bijective(x)
    offset, stored_bias = np.zeros(count * outputs), None
    if bias is not None:
        offset, stored_bias = _bias(node, bias, shape, count)
    stored_weight = _stored(weight)
    if count == 1:
        matrix = np.empty((outputs, inputs))
        matrix[:, order] = weight.numbers()
        if stored_weight is not None:
            positions: Positions = np.empty((outputs, inputs), dtype=np.int64)
            positions[:, order] = stored_weight.positions
            stored_weight = replace(stored_weight, positions=positions)
        parameters = _parameters(kind, (outputs, inputs), stored_weight, stored_bias, None)
        layer = Affine(matrix, offset, parameters)
    else:
        sharing = _rows(count, outputs, inputs, order)
        parameters = _parameters(kind, (outputs, inputs), stored_weight, stored_bias, sharing)
        layer = Affine(sharing.matrix(weight.numbers(), count * inputs), offset, parameters)
    return builder.add(node.output, layer, (base,), shape)


def _rows(count: int, outputs: int, inputs: int, columns: Positions) -> Sharing:
    """One matrix applied to each of ``count`` rows."""
    r = np.arange(count)[:, None, None]
    m = np.arange(outputs)[None, :, None]
    k = np.arange(inputs)[None, None, :]
    rows, inner, entries = np.broadcast_arrays(r * outputs + m, r * inputs + k, m * inputs + k)
    return Sharing.of(
        rows.reshape(-1),
        columns[inner.reshape(-1)],
        entries.reshape(-1),
        np.tile(np.arange(outputs), count),
    )


def _stored(constant: Constant) -> Stored | None:
    if constant.positions is None:
        return None
    return Stored(constant.name, constant.values.dtype, constant.positions)


def _bias(
    node: Node, bias: Constant, shape: tuple[int, ...], count: int
) -> tuple[Array, Stored | None]:
    """The bias of every output, and where the file has it, if it has one a column."""
    try:
        offset = np.broadcast_to(bias.numbers(), shape).reshape(-1)
        if bias.positions is None:
            return offset, None
        places = np.broadcast_to(bias.positions, shape).reshape(count, shape[-1])
    except ValueError as error:
        raise InputError(
            f"{node.label}: a bias of shape {bias.values.shape} does not fit {shape}"
        ) from error
    if (places != places[0]).any() or np.unique(places[0]).size != shape[-1]:
        return offset, None
    return offset, Stored(bias.name, bias.values.dtype, places[0])


def _parameters(
    kind: Kind,
    shape: tuple[int, ...],
    weight: Stored | None,
    bias: Stored | None,
    sharing: Sharing | None,
) -> Parameters | None:
    if weight is None:
        return None
    return Parameters(
        kind, shape, 0 if bias is None else bias.positions.size, weight, bias, sharing
    )


def conv(builder: Builder, node: Node) -> Tensor:
    """A convolution over any number of spatial axes, with groups."""
    x, kernel = builder.value(node, 0), builder.constant(node, 1)
    bias = builder.optional(node, 2)
    groups = node.take("group", 1)
    outputs, depth, *window = kernel.values.shape if kernel.values.ndim > 2 else (0, 0)
    batch, channels, *image = x.shape if len(x.shape) > 2 else (0, 0)
    fits = batch == 1 and outputs > 0 and len(window) == len(image) and groups > 0
    if not fits or channels != depth * groups or outputs % groups:
        raise InputError(
            f"{node.label}: a kernel of shape {kernel.values.shape} in {groups} groups does not "
            f"fit an input of shape {x.shape}"
        )
    windows = read_windows(node, tuple(image), tuple(window))
    builder.coefficients(node, outputs * depth * windows.entries)
    base, order = builder.bijective(x)
    sharing = convolution(windows, kernel.values.shape, groups, order)
    offset, stored_bias = np.zeros(sharing.biases.size), None
    if bias is not None:
        if bias.values.shape != (outputs,):
            raise InputError(f"{node.label}: a bias of shape {bias.values.shape} does not fit")
        offset, stored_bias = bias.numbers()[sharing.biases], _stored(bias)
    parameters = _parameters(Kind.CONV, kernel.values.shape, _stored(kernel), stored_bias, sharing)
    matrix = sharing.matrix(kernel.numbers(), builder.sizes[base])
    layer = Affine(matrix, offset, parameters)
    return builder.add(node.output, layer, (base,), (1, outputs, *windows.shape))


def join_bias(
    builder: Builder, node: Node, value: Value, constant: Constant, name: str
) -> Value | None:
    """``constant`` as the bias of the layer that made ``value``; None where it cannot be that.

    It can where the layer has none yet, nothing else reads the layer, and the constant has one
    number a column (a channel of a convolution).
    """
    layer = builder.graph.nodes[value.node].get("layer")
    if not isinstance(layer, Affine) or layer.parameters is None or np.any(layer.bias):
        return None
    parameters = layer.parameters
    if (
        parameters.biases
        or constant.positions is None
        or builder.uses(name) != 1
        or name != value.node
        or value.size != layer.bias.size
    ):
        return None
    try:
        places = np.broadcast_to(constant.positions, value.shape).reshape(-1)
    except ValueError:
        return None
    flat: Positions = np.empty(value.size, dtype=np.int64)
    flat[value.index.reshape(-1)] = places
    columns = np.arange(flat.size) if parameters.sharing is None else parameters.sharing.biases
    free: Positions = np.empty(int(columns.max()) + 1, dtype=np.int64)
    free[columns] = flat
    if (free[columns] != flat).any() or np.unique(free).size != free.size:
        return None
    stored = Stored(constant.name, constant.values.dtype, free)
    offset = constant.numbers().reshape(-1)[free][columns]
    merged = replace(parameters, biases=free.size, stored_bias=stored)
    builder.graph.nodes[value.node]["layer"] = Affine(layer.weight, offset, merged)
    return value


PRODUCTS: Registry = {"Conv": conv, "Gemm": gemm, "MatMul": matmul}
