"""Networks evaluated in exact rational arithmetic, and random networks to try it on."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import isfinite
from typing import Any, assert_never

import networkx as nx
import numpy as np
import scipy.sparse as sp

from marapatch.network.graph import Network
from marapatch.network.layers import (
    Abs,
    Affine,
    Clip,
    Concat,
    Layer,
    LeakyRelu,
    Maximum,
    MaxPool,
    Relu,
    Sum,
)

Exact = list[Fraction]


def exact(values: Any) -> Exact:
    """The numbers of a vector as fractions."""
    return [Fraction(float(value)) for value in np.asarray(values).reshape(-1)]


def exact_matrix(matrix: Any) -> list[Exact]:
    """The rows of a matrix as fractions."""
    dense = matrix.toarray() if sp.issparse(matrix) else matrix
    return [exact(row) for row in dense]


def exact_product(matrix: Any, x: Exact) -> Exact:
    """``matrix @ x``."""
    rows = exact_matrix(matrix)
    return [sum((w * v for w, v in zip(row, x, strict=True)), Fraction(0)) for row in rows]


def evaluate_exactly(network: Network, x: Exact) -> Exact:
    """The outputs of ``network`` at ``x``, layer by layer, without any rounding."""
    values = {network.input_node: x}
    for node in network.order:
        if node != network.input_node:
            inputs = [values[p] for p in network.predecessors(node)]
            values[node] = _apply(network.layer(node), inputs)
    return values[network.output_node]


def _apply(layer: Layer, inputs: Sequence[Exact]) -> Exact:
    x = inputs[0]
    match layer:
        case Affine(weight=weight, bias=bias):
            return [a + b for a, b in zip(exact_product(weight, x), exact(bias), strict=True)]
        case Relu():
            return [max(v, Fraction(0)) for v in x]
        case LeakyRelu(slope=slope):
            return [v if v >= 0 else Fraction(slope) * v for v in x]
        case Abs():
            return [abs(v) for v in x]
        case Clip(low=low, high=high):
            raised = [max(v, Fraction(low)) for v in x] if isfinite(low) else x
            return [min(v, Fraction(high)) for v in raised] if isfinite(high) else raised
        case MaxPool(groups=groups):
            return [max(x[i] for i in group) for group in groups.tolist()]
        case Maximum():
            return [max(entries) for entries in zip(*inputs, strict=True)]
        case Sum(coefficients=coefficients):
            columns = zip(*inputs, strict=True)
            factors = [Fraction(c) for c in coefficients]
            return [
                sum((c * v for c, v in zip(factors, column, strict=True)), Fraction(0))
                for column in columns
            ]
        case Concat():
            return [v for part in inputs for v in part]
        case _:
            assert_never(layer)  # type: ignore[arg-type]


class Sketch:
    """Builds a network node by node: ``sketch.add(layer, *inputs)`` gives the new node's name."""

    def __init__(self, inputs: int) -> None:
        self.graph = nx.DiGraph()
        self.graph.add_node("input")
        self.inputs = inputs

    def add(self, layer: Layer, *inputs: str) -> str:
        name = f"node{len(self.graph)}"
        self.graph.add_node(name, layer=layer, inputs=inputs)
        self.graph.add_edges_from((source, name) for source in inputs)
        return name

    def network(self, output: str, outputs: int) -> Network:
        return Network(
            self.graph, "input", output, (self.inputs,), (outputs,), np.dtype(np.float64)
        )


def random_network(rng: np.random.Generator, size: int = 4, depth: int = 5) -> Network:
    """A network of every kind of layer, with skips, sparse matrices and selections."""
    sketch = Sketch(size)
    nodes = ["input"]

    def affine() -> Affine:
        kind = rng.integers(3)
        if kind == 0:
            weight: Any = rng.normal(size=(size, size)) * 10.0 ** rng.integers(-2, 3)
        elif kind == 1:
            weight = sp.csr_array(np.eye(size)[rng.integers(size, size=size)])
        else:
            weight = sp.csr_array(rng.normal(size=(size, size)) * (rng.random((size, size)) < 0.5))
        bias = rng.normal(size=size) if rng.random() < 0.5 else np.zeros(size)
        return Affine(weight, bias)

    for _ in range(depth):
        last = nodes[-1]
        other = nodes[rng.integers(len(nodes))]
        first = sketch.add(affine(), last)
        match int(rng.integers(9)):
            case 0 | 1:
                node = sketch.add(Relu(), first)
            case 2:
                node = sketch.add(LeakyRelu(float(rng.normal())), first)
            case 3:
                node = sketch.add(Abs(), first)
            case 4:
                low, high = np.sort(rng.normal(size=2))
                infinite = rng.integers(3)
                bounds = (-np.inf if infinite == 0 else low, np.inf if infinite == 1 else high)
                node = sketch.add(Clip(float(bounds[0]), float(bounds[1])), first)
            case 5:
                node = sketch.add(MaxPool(rng.integers(size, size=(size, 3))), first)
            case 6:
                node = sketch.add(Maximum(), first, other, last)
            case 7:
                coefficients = (1.0, float(rng.choice([-1.0, 0.3])), 2.0)
                node = sketch.add(Sum(coefficients), first, other, first)
            case _:
                joined = sketch.add(Concat(), first, other)
                weight = rng.normal(size=(size, 2 * size))
                node = sketch.add(Affine(weight, np.zeros(size)), joined)
        nodes.append(node)
    return sketch.network(nodes[-1], size)
