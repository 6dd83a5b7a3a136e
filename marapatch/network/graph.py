"""An immutable feed-forward network: a networkx DAG of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from math import prod
from typing import Any, Protocol, TypeVar

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike

from marapatch.errors import InputError
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.affine_relu.standardise import standardise
from marapatch.network.layers import Affine, Array, Layer, Relu
from marapatch.network.onnx.file import replace_tensors
from marapatch.network.output_transform import OutputTransform
from marapatch.network.parameters import Kind, Parameters

Applied_co = TypeVar("Applied_co", covariant=True)


class Symbolic(Protocol[Applied_co]):
    """Something a network can be applied to without knowing what it is."""

    def through(self, network: Network) -> Applied_co:
        """The outputs of ``network`` at this input."""
        ...


class Freeing(Protocol[Applied_co]):
    """Something that can add variables to a network's weights."""

    def free_weights(self, network: Network, layer: int | str = -1, **options: Any) -> Applied_co:
        """``network`` with free weights at ``layer``."""
        ...


@dataclass(frozen=True)
class Source:
    """Where a network came from: ``path`` and ``sha256`` of the file, and the file's ``format``
    (``onnx`` or ``nnet``). ``content`` holds an ONNX file, for writing back and for outside
    evaluators: as it was read (with external data moved inside), or with the weights replaced
    since; ``sha256`` is that of the content (of the file, for ``nnet``)."""

    path: str
    sha256: str
    format: str
    content: bytes = field(repr=False, default=b"")


@dataclass(frozen=True)
class PatchableLayer:
    """An affine layer whose weights can be replaced.

    ``number``: its place among them, counted from 0. ``node``: its name in the graph. ``inputs``,
    ``outputs``: sizes of the vectors it maps. ``weights``, ``biases``: how many free numbers it
    has; fewer weights than ``inputs * outputs`` where they are shared, as in a convolution.
    """

    number: int
    node: str
    kind: Kind
    inputs: int
    outputs: int
    weights: int
    biases: int


@dataclass(frozen=True, eq=False)
class Network:
    """A real-valued function of the weights as stored in the file (ARCHITECTURE: 5, rule 1).

    ``graph``: a directed acyclic graph; each node, in the order of evaluation, carries ``layer``
    (a :class:`~marapatch.network.layers.Layer`, absent at the input node) and ``inputs`` (the
    names of its predecessors in order). ``input_node``, ``output_node``: names in the graph.
    ``input_shape``, ``output_shape``: without the batch axis. ``input_dtype``: the type in which
    the file takes its input. ``input_box``: (lower, upper) arrays of shape (inputs,) where the
    file states one. ``notes``: what a user should know of how the file was read.
    ``output_transform``: what the file does with these outputs last; the outputs are the scores
    before it.
    """

    graph: nx.DiGraph
    input_node: str
    output_node: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    input_dtype: np.dtype[np.floating] = field(default_factory=lambda: np.dtype(np.float32))
    input_box: tuple[Array, Array] | None = None
    source: Source | None = None
    notes: tuple[str, ...] = ()
    output_transform: OutputTransform = OutputTransform.NONE

    def __post_init__(self) -> None:
        if not nx.is_directed_acyclic_graph(self.graph):
            raise InputError("the network has a cycle; only feed-forward networks are supported")
        nx.freeze(self.graph)

    @property
    def inputs(self) -> int:
        """The number of entries of one input."""
        return prod(self.input_shape)

    @property
    def outputs(self) -> int:
        """The number of entries of one output."""
        return prod(self.output_shape)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The nodes in an order in which they can be evaluated, the same at every run."""
        return tuple(nx.lexicographical_topological_sort(self.graph, key=self._rank.__getitem__))

    @cached_property
    def _rank(self) -> Mapping[str, int]:
        return {node: i for i, node in enumerate(self.graph.nodes)}

    def layer(self, node: str) -> Layer:
        """The layer at ``node``."""
        return self.graph.nodes[node]["layer"]  # type: ignore[no-any-return]  # networkx is untyped

    def predecessors(self, node: str) -> tuple[str, ...]:
        """The nodes whose values ``node`` takes, in order."""
        return self.graph.nodes[node]["inputs"]  # type: ignore[no-any-return]  # networkx is untyped

    @cached_property
    def affine_layers(self) -> tuple[PatchableLayer, ...]:
        """The layers that can be patched, in the order of evaluation."""
        found: list[PatchableLayer] = []
        for node in self.order:
            layer = self.graph.nodes[node].get("layer")
            if isinstance(layer, Affine) and layer.parameters is not None:
                outputs, inputs = layer.weight.shape
                kind, biases = layer.parameters.kind, layer.parameters.biases
                weights = int(layer.parameters.used.sum())
                found.append(
                    PatchableLayer(len(found), node, kind, inputs, outputs, weights, biases)
                )
        return tuple(found)

    def weights(self, node: str) -> tuple[Array, Array]:
        """The free weights and biases of a layer that can be patched, as copies.

        Weights (outputs, inputs), or the kernel (channels out, channels in / groups, *window) of
        a convolution; biases, empty where the file has none.
        """
        layer, parameters = self._patchable(node)
        return parameters.weight_of(layer.weight), parameters.bias_of(layer.bias)

    def with_weights(
        self, node: str, weight: ArrayLike | None = None, bias: ArrayLike | None = None
    ) -> Network:
        """A new network in which the layer at ``node`` has other weights, or biases, or both.

        Shapes as :meth:`weights` gives them. The numbers are rounded to the type in which the
        file holds them, so that the new network is the one that would be written. Raises
        :class:`InputError` where the layer cannot be patched, or shapes or numbers do not fit.
        """
        layer, _ = self._patchable(node)
        try:
            changed = layer.replaced(weight, bias)
        except InputError as error:
            raise InputError(f"layer {node!r}: {error}") from error
        graph = nx.DiGraph()
        for name in self.graph.nodes:
            graph.add_node(name, **self.graph.nodes[name])
        graph.add_edges_from(self.graph.edges)
        graph.nodes[node]["layer"] = changed
        return replace(self, graph=graph, source=self._written(changed))

    def _patchable(self, node: str) -> tuple[Affine, Parameters]:
        layer = self.graph.nodes[node].get("layer") if node in self.graph else None
        if not isinstance(layer, Affine) or layer.parameters is None:
            names = [candidate.node for candidate in self.affine_layers]
            raise InputError(f"layer {node!r} cannot be patched; those that can are {names}")
        return layer, layer.parameters

    def _written(self, layer: Affine) -> Source | None:
        """The source with the numbers of ``layer`` in it; None where there is no ONNX file."""
        parameters = layer.parameters
        if self.source is None or parameters is None or parameters.stored_weight is None:
            return None
        used = parameters.used
        weight = parameters.stored_weight
        numbers = parameters.weight_of(layer.weight)
        changes = [(weight.name, weight.positions.reshape(used.shape)[used], numbers[used])]
        if parameters.stored_bias is not None:
            bias = parameters.stored_bias
            changes.append((bias.name, bias.positions, parameters.bias_of(layer.bias)))
        content = replace_tensors(self.source.content, changes)
        return replace(self.source, content=content, sha256=sha256(content).hexdigest())

    def __call__(self, inputs: Symbolic[Applied_co]) -> Applied_co:
        """The outputs at symbolic ``inputs``: an expression of a problem, ``network(x)``.

        For numbers use :meth:`evaluate`; InputError says so. InputError too where the file ends in
        Softmax or the like, whose outputs these are not: :meth:`scores` says what is meant.
        """
        self.check_outputs()
        return self.scores(inputs)

    def check_outputs(self) -> None:
        """Raise InputError where the file's outputs are not the network's, but made of them."""
        if self.output_transform is not OutputTransform.NONE:
            raise InputError(
                f"the network ends in {self.output_transform.value}, which is not part of what is "
                "read: conditions would be on the scores before it, which have the same order; "
                "write network.scores(x) if these are meant"
            )

    def scores(self, inputs: Symbolic[Applied_co]) -> Applied_co:
        """Like ``network(x)``; where the file ends in Softmax, LogSoftmax or ArgMax: the scores
        before it, of which only the order is the same."""
        through = getattr(inputs, "through", None)
        if through is None:
            raise InputError(
                "a network is called with an expression of a problem; for numbers "
                "use network.evaluate(...)"
            )
        return inputs.through(self)

    def with_free_weights(
        self, problem: Freeing[Applied_co], layer: int | str = -1, **options: Any
    ) -> Applied_co:
        """This network with variables of ``problem`` added to the weights of one layer.

        The same as ``problem.free_weights(network, layer, ...)``; the options are explained there.
        """
        return problem.free_weights(self, layer, **options)

    def evaluate(self, inputs: ArrayLike) -> Array:
        """The outputs, float64 of shape (batch, outputs).

        ``inputs``: one input or a batch, in the file's shape or flat; InputError otherwise.
        """
        return self.values(inputs)[self.output_node]

    def values(self, inputs: ArrayLike) -> dict[str, Array]:
        """What every node takes at ``inputs``, which are as in :meth:`evaluate`: (batch, size)."""
        values: dict[str, Array] = {self.input_node: self.flatten(inputs)}
        for node in self.order:
            if node != self.input_node:
                values[node] = self.layer(node)(*(values[p] for p in self.predecessors(node)))
        return values

    def flatten(self, inputs: ArrayLike) -> Array:
        """``inputs`` as float64 (batch, inputs); InputError where the shape does not fit."""
        array = np.asarray(inputs, dtype=np.float64)
        fits = self.input_shape, (self.inputs,)
        if array.shape in fits:
            return array.reshape(1, self.inputs)
        if array.shape[1:] in fits:
            return array.reshape(-1, self.inputs)
        if array.size == self.inputs:
            squeezed = tuple(n for n in array.shape if n != 1)
            if squeezed == tuple(n for n in self.input_shape if n != 1):
                return array.reshape(1, self.inputs)
        raise InputError(
            f"the input has shape {array.shape}, the network takes {self.input_shape} "
            f"or flat ({self.inputs},)"
        )

    @cached_property
    def standard_form(self) -> StandardForm:
        """The same function as affine maps and ReLUs only."""
        try:
            return standardise(
                self.graph, self.order, self.input_node, self.output_node, self.inputs
            )
        except InputError as error:  # its affine maps, multiplied out, are over the memory limit
            where = "the network" if self.source is None else self.source.path
            raise InputError(f"{where}: {error}") from error


def dense_network(weights: Sequence[Array], biases: Sequence[Array]) -> Network:
    """A fully connected ReLU network from matrices of shape (outputs, inputs) and biases."""
    graph = nx.DiGraph()
    graph.add_node("input")
    last = "input"
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        layers: list[tuple[str, Layer]] = [
            (f"affine{k}", Affine(weight, bias, Parameters.dense(weight)))
        ]
        if k + 1 < len(weights):
            layers.append((f"relu{k}", Relu()))
        for name, layer in layers:
            graph.add_node(name, layer=layer, inputs=(last,))
            graph.add_edge(last, name)
            last = name
    shape_in, shape_out = (weights[0].shape[1],), (weights[-1].shape[0],)
    return Network(graph, "input", last, shape_in, shape_out, np.dtype(np.float64))
