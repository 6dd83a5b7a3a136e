"""ONNX files read as networks."""

from __future__ import annotations

import hashlib
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from marapatch.errors import InputError, UnsupportedOperatorError
from marapatch.files.reading import shown
from marapatch.network.graph import Network, Source
from marapatch.network.onnx.constants import CONSTANTS, FOLDS, fold
from marapatch.network.onnx.file import (
    check_model,
    check_names,
    check_node,
    dtype_of_input,
    read_model,
    shape_of_input,
    sole_input,
    sole_output,
)
from marapatch.network.onnx.graph import Builder, Registry, Tensor, Value
from marapatch.network.onnx.linear import LINEAR
from marapatch.network.onnx.moves import MOVES
from marapatch.network.onnx.node import Node
from marapatch.network.onnx.piecewise import PIECEWISE
from marapatch.network.onnx.products import PRODUCTS
from marapatch.network.output_transform import OutputTransform

OPERATORS: Registry = {**PRODUCTS, **LINEAR, **PIECEWISE, **MOVES, **CONSTANTS}
"""One reader an operator."""

DECISIONS = ("Softmax", "LogSoftmax", "ArgMax")
"""Operators that keep the decision (the largest score) when they come last."""

PASSIVE = ("Identity", *DECISIONS)
"""Operators that may follow one of :data:`DECISIONS` without changing the decision."""


def read_onnx(path: str | PathLike[str]) -> Network:
    """The network in an ONNX file.

    The network is the real-valued function of the numbers stored in the file, at batch 1: every
    float32 is exact in float64, reshuffles cost nothing, and an Add of a constant after MatMul is
    its bias. What is rounded: see :mod:`~marapatch.network.onnx.linear`. A last Softmax,
    LogSoftmax or ArgMax over all classes is dropped, which keeps the decision but not the
    scores; ``notes`` and ``output_transform`` then say so.

    Raises :class:`InputError` where the file is missing, damaged, or no network with one input
    and one output, and :class:`UnsupportedOperatorError` where it holds an operator, or a form of
    one, that is not read; both name the file and the node.
    """
    file = Path(path)
    model, content = read_model(file)
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused where layers are made
            return _read(file, model, content)
    except (InputError, UnsupportedOperatorError) as error:
        raise type(error)(f"{file}: {error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: a name in it is not UTF-8; repair the file") from error


def _read(file: Path, model: Any, content: bytes) -> Network:
    opset = check_model(model)
    value, output_name = sole_input(model.graph), sole_output(model.graph)
    check_names(model.graph)
    shape, dtype = shape_of_input(value), dtype_of_input(value)
    nodes = _needed(model.graph, output_name)
    builder = Builder(model.graph, nodes, value.name, shape)
    for proto in nodes:
        node = Node(proto, opset)
        builder.keep(node, _apply(builder, node))
        node.finish()
    output = builder.tensors.get(output_name)
    if not isinstance(output, Value):
        raise InputError(f"output {shown(output_name)!r} does not depend on the input")
    # Rounding is bounded for every pair of outputs, and so are the conditions of a decision.
    builder.budget.room(f"a decision among {output.size} outputs", 32 * output.size**2)
    output_node = builder.select(output)
    keep = nx.ancestors(builder.graph, output_node) | {output_node, builder.input_name}
    builder.graph.remove_nodes_from([n for n in builder.graph if n not in keep])
    return Network(
        graph=builder.graph,
        input_node=builder.input_name,
        output_node=output_node,
        input_shape=shape[1:],
        output_shape=output.shape[1:] if output.shape[:1] == (1,) else output.shape,
        input_dtype=dtype,
        source=Source(str(file), hashlib.sha256(content).hexdigest(), "onnx", content),
        notes=tuple(builder.notes),
        output_transform=OutputTransform.of(
            [proto.op_type for proto in nodes if proto.op_type in DECISIONS]
        ),
    )


def _needed(graph: Any, output_name: str) -> list[Any]:
    """The nodes on which the output depends, in the file's order."""
    wanted, nodes = {output_name}, []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(name for name in node.input if name)
            nodes.append(node)
    return nodes[::-1]


def _apply(builder: Builder, node: Node) -> Tensor:
    """The first output of ``node``."""
    if node.proto.domain not in ("", "ai.onnx"):
        raise UnsupportedOperatorError(
            f"{node.label}: operators of domain {shown(node.proto.domain)!r} are not supported; "
            "re-export with standard ONNX operators"
        )
    for extra in node.proto.output[1:]:
        if builder.uses(extra):
            raise UnsupportedOperatorError(
                f"{node.label}: its further output {shown(extra)!r} is used; only the first is "
                "supported"
            )
    if node.operator not in (*OPERATORS, *DECISIONS, *FOLDS):
        raise _unsupported(node)
    check_node(node.label, node.proto, node.opset)
    folded = fold(builder, node)
    if folded is not None:
        return folded
    if node.operator in DECISIONS:
        return _decision(builder, node)
    if node.operator not in OPERATORS:
        raise _unsupported(node)
    return OPERATORS[node.operator](builder, node)


def _unsupported(node: Node) -> UnsupportedOperatorError:
    where = " except on integer constants" if node.operator in FOLDS else ""
    return UnsupportedOperatorError(
        f"{node.label} is not supported{where}: only piecewise-linear networks are read; "
        "retrain or re-export it with Relu, LeakyRelu, Abs, Clip, Max or MaxPool in its place"
    )


def _decision(builder: Builder, node: Node) -> Tensor:
    """The scores before a last Softmax, LogSoftmax or ArgMax: its largest entry is the same."""
    scores = builder.value(node, 0)
    rank = len(scores.shape)
    argmax = node.operator == "ArgMax"
    flattened = not argmax and node.opset < 13  # then all axes from this one on are classes
    axis = node.take("axis", 0 if argmax else (1 if flattened else -1))
    first = axis if axis >= 0 else axis + rank
    if not 0 <= first < rank:
        raise node.unsupported("axis", axis)
    classes = prod(scores.shape[first:]) if flattened else scores.shape[first]
    if argmax:
        node.take("keepdims")
        node.allow("select_last_index", 0)
    if classes != scores.size:
        raise node.unsupported("axis", axis)
    name = node.output
    while name != builder.output_name:
        users = builder.consumers.get(name, [])
        if len(users) != 1 or users[0].op_type not in PASSIVE or builder.uses(name) != 1:
            raise UnsupportedOperatorError(
                f"{node.label}: is only supported as the last operator; cut the network there"
            )
        name = users[0].output[0]
    builder.notes.append(
        f"{node.label} at the end was dropped: the outputs are the scores before it, "
        "with the same largest entry"
    )
    return scores
