"""The tensors of an ONNX graph while it is read, and the graph of layers that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from marapatch.errors import InputError, UnsupportedOperatorError
from marapatch.files.memory import Budget
from marapatch.files.reading import shown
from marapatch.network.layers import Affine, Array, Layer
from marapatch.network.onnx.node import Node
from marapatch.network.onnx.tensors import STORED_BYTES, decoded, entries_of
from marapatch.network.parameters import Positions

MADE_BYTES = 256
"""For each entry of a tensor that a node makes: its place, its row of a layer, and its row of the
affine maps and bounds that are made of that later."""

COEFFICIENT_BYTES = 160
"""For each non-zero of a layer's matrix that is put together: its row, column and parameter, each
at first in the order of the operator and then in that of the matrix, and the number itself: half of
it was measured; and as much again for the affine maps, their errors and bounds made of it."""

MAX_INTEGERS = 1000
"""Sizes, axes or pads in one constant; a tensor has a few axes."""

ONNX_LAYERS = 2000
"""Bounds of each layer go back through all layers before it, so that no more can be proved about;
the deepest networks in use have about a thousand."""


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor whose numbers stand in the file, or follow from numbers there.

    ``name``: what to call it. ``positions``: for each entry its position in the tensor ``name``
    of the file, while it is used nowhere else; None where it is no plain copy of stored numbers.
    """

    values: NDArray[Any]
    name: str
    positions: Positions | None = None

    def move(self, function: Callable[[NDArray[Any]], NDArray[Any]]) -> Constant:
        """A reshuffled copy."""
        positions = None if self.positions is None else function(self.positions)
        return replace(self, values=function(self.values), positions=positions)

    def numbers(self) -> Array:
        """The entries as float64; InputError where one is NaN or infinite."""
        try:
            with np.errstate(invalid="ignore"):  # a signalling NaN; it is refused below
                array = self.values.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"tensor {shown(self.name)!r} does not hold numbers") from error
        if not np.isfinite(array).all():
            raise InputError(
                f"tensor {shown(self.name)!r} contains NaN or infinity; repair the file"
            )
        return array

    def integers(self) -> list[int]:
        """The entries as integers, one after the other; InputError where they are none."""
        if self.values.dtype.kind not in "iub" or self.values.size > MAX_INTEGERS:
            raise InputError(
                f"tensor {shown(self.name)!r} of {self.values.size} {shown(self.values.dtype)} "
                "entries is no list of sizes or axes"
            )
        return [int(entry) for entry in self.values.reshape(-1)]


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor that depends on the input: entry i of it is entry ``index[i]`` of ``node``.

    ``index`` has the tensor's shape (batch 1), so that reshuffles cost no layer at all.
    """

    node: str
    index: Positions

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape, with a batch axis of 1."""
        return self.index.shape

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.index.size

    def move(self, function: Callable[[NDArray[Any]], NDArray[Any]]) -> Value:
        """A reshuffled copy."""
        return replace(self, index=function(self.index))


Tensor = Constant | Value


class Builder:
    """What has been read of a graph so far."""

    def __init__(self, graph: Any, nodes: list[Any], input_name: str, shape: tuple[int, ...]):
        self.tensors: dict[str, Tensor] = {}
        self.graph = nx.DiGraph()
        self.sizes: dict[str, int] = {}
        self.budget = Budget()
        self._named: dict[str, int] = {}
        self.notes: list[str] = []
        self.output_name = str(graph.output[0].name)
        self.consumers: dict[str, list[Any]] = {}
        for node in nodes:
            for name in node.input:
                self.consumers.setdefault(name, []).append(node)
        for tensor in graph.initializer:
            if tensor.name in self.consumers or tensor.name == self.output_name:
                self.tensors[tensor.name] = self.stored(tensor, tensor.name)
        self.input_name = input_name
        self.budget.spend(f"input {shown(input_name)!r}", prod(shape) * MADE_BYTES)
        self.graph.add_node(input_name)
        self.sizes[input_name] = prod(shape)
        self.tensors[input_name] = _fresh(input_name, shape)

    def uses(self, name: str) -> int:
        """How often a tensor is read."""
        return len(self.consumers.get(name, ())) + (name == self.output_name)

    def keep(self, node: Node, tensor: Tensor) -> None:
        """Keep what ``node`` gave, and count it; InputError where there is nothing in it, or the
        network needs more than the memory limit."""
        if isinstance(tensor, Value) and tensor.size == 0:
            raise InputError(
                f"{node.label}: makes a tensor of shape {shown(tensor.shape)}, without entries; "
                "repair the file"
            )
        size = tensor.size if isinstance(tensor, Value) else tensor.values.size
        self.budget.spend(node.label, size * MADE_BYTES)
        self.tensors[node.output] = tensor

    def room(self, node: Node, shape: Iterable[int]) -> None:
        """Raise InputError where what ``node`` makes, of ``shape``, would be over the limit."""
        self.budget.room(node.label, prod(shape) * MADE_BYTES)

    def coefficients(self, node: Node, count: int) -> None:
        """Count the non-zeros of a matrix that ``node`` is about to put together."""
        self.budget.spend(node.label, count * COEFFICIENT_BYTES)

    def stored(self, tensor: Any, name: str) -> Constant:
        """A tensor of the file, called ``name``."""
        self.budget.spend(f"tensor {shown(name)!r}", entries_of(tensor) * STORED_BYTES)
        values = decoded(tensor, name)
        return Constant(values, name, np.arange(values.size).reshape(values.shape))

    def operand(self, node: Node, number: int) -> Tensor:
        """An input of ``node``; InputError where the file does not define it."""
        name = node.input(number)
        if name not in self.tensors:
            raise InputError(
                f"{node.label}: its input {number} ({shown(name)!r}) is not defined before it is "
                "used"
            )
        tensor = self.tensors[name]
        if isinstance(tensor, Constant) and self.uses(name) > 1:
            return replace(tensor, positions=None)
        return tensor

    def operands(self, node: Node) -> list[Tensor]:
        """All inputs of ``node``."""
        return [self.operand(node, k) for k in range(len(node.proto.input))]

    def value(self, node: Node, number: int) -> Value:
        """An input that must depend on the network's input."""
        tensor = self.operand(node, number)
        if isinstance(tensor, Constant):
            raise UnsupportedOperatorError(
                f"{node.label}: its input {number} ({shown(node.input(number))!r}) is a constant; "
                "only constants elsewhere are supported"
            )
        return tensor

    def constant(self, node: Node, number: int) -> Constant:
        """An input that must be a constant."""
        tensor = self.operand(node, number)
        if isinstance(tensor, Value):
            raise UnsupportedOperatorError(
                f"{node.label}: its input {number} ({shown(node.input(number))!r}) depends on the "
                "network's input; only a constant is supported there"
            )
        return tensor

    def optional(self, node: Node, number: int) -> Constant | None:
        """An input that must be a constant, or None where it is left out."""
        return self.constant(node, number) if node.input(number) else None

    def add(
        self, name: str, layer: Layer, inputs: tuple[str, ...], shape: tuple[int, ...]
    ) -> Value:
        """A new node of the graph of layers, and its values in ``shape``."""
        if len(self.sizes) >= ONNX_LAYERS:
            raise InputError(
                f"has more than {ONNX_LAYERS} layers: too many to prove anything about; give a "
                "smaller network"
            )
        name = self._unused(name)
        self.graph.add_node(name, layer=layer, inputs=inputs)
        self.graph.add_edges_from((source, name) for source in inputs)
        self.sizes[name] = prod(shape)
        return _fresh(name, shape)

    def _unused(self, name: str) -> str:
        """``name``, or ``name'2``, ``name'3`` ... where that is taken."""
        free = name
        while free in self.sizes:
            self._named[name] = self._named.get(name, 1) + 1
            free = f"{name}'{self._named[name]}"
        return free

    def linear(
        self,
        name: str,
        value: Value,
        places: tuple[Positions, Positions],
        data: ArrayLike,
        bias: ArrayLike,
        *,
        shape: tuple[int, ...],
    ) -> Value:
        """A sparse affine layer on ``value``: ``sum_j data[j] * value[columns[j]] + bias[i]``, the
        sum over the j with ``rows[j] == i``; ``places`` are (rows, columns), none of them twice.
        """
        rows, columns = places
        node, order = value.node, value.index.reshape(-1)
        if _repeats(rows):  # two equal columns in a row would be added up
            node, order = self.injective(value)
        entries = np.broadcast_to(np.asarray(data, dtype=np.float64), rows.shape)
        size = (prod(shape), self.sizes[node])
        matrix = sp.csr_array((entries, (rows, order[columns])), shape=size)
        offset = np.broadcast_to(np.asarray(bias, dtype=np.float64), shape).reshape(-1)
        return self.add(name, Affine(matrix, offset), (node,), shape)

    def steady(self, name: str, numbers: Array) -> Value:
        """Numbers that do not depend on the input, as a layer."""
        matrix = sp.csr_array((numbers.size, self.sizes[self.input_name]))
        return self.add(
            name, Affine(matrix, numbers.reshape(-1)), (self.input_name,), numbers.shape
        )

    def select(self, value: Value) -> str:
        """A node whose entries are those of ``value``, in order."""
        flat = value.index.reshape(-1)
        size = self.sizes[value.node]
        if flat.size == size and np.array_equal(flat, np.arange(size)):
            return value.node
        matrix = sp.csr_array(
            (np.ones(flat.size), (np.arange(flat.size), flat)), shape=(flat.size, size)
        )
        layer = Affine(matrix, np.zeros(flat.size))
        return self.add(f"{value.node}/select", layer, (value.node,), value.shape).node

    def injective(self, value: Value) -> tuple[str, Positions]:
        """A node and, for each entry of ``value``, its position there, no position twice."""
        flat = value.index.reshape(-1)
        if not _repeats(flat):
            return value.node, flat
        return self.select(value), np.arange(flat.size)

    def bijective(self, value: Value) -> tuple[str, Positions]:
        """Like :meth:`injective`, and every entry of the node is one of ``value``."""
        node, order = self.injective(value)
        if order.size == self.sizes[node]:
            return node, order
        return self.select(value), np.arange(order.size)

    def entrywise(self, name: str, layer: Layer, value: Value) -> Value:
        """``layer``, which acts on each entry alone, after ``value``."""
        node, order = self.bijective(value)
        result = self.add(name, layer, (node,), (order.size,))
        return Value(result.node, order.reshape(value.shape))


def _repeats(places: Positions) -> bool:
    """Whether a place occurs twice."""
    return bool(np.bincount(places, minlength=1).max() > 1)


def _fresh(node: str, shape: tuple[int, ...]) -> Value:
    return Value(node, np.arange(prod(shape)).reshape(shape))


Reader = Callable[[Builder, Node], Tensor]
"""Reads one node: takes its attributes, adds layers, gives its first output."""

Registry = Mapping[str, Reader]
