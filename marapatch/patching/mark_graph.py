"""Increment and decrement marks of every neuron, as arrays, as a table and as a graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.errors import InputError
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.graph import Network
from marapatch.patching.marking import layer_signs
from marapatch.problem.conditions import OutputCondition, Rule, beats

MARKS = ("increment", "decrement", "free", "none")
"""What raises the property when it grows, when it falls, on some paths each, and on none."""

MOST_EDGES = 100_000
"""A graph with more edges than this is drawn without them."""

Marks = NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Marking:
    """Which way each neuron has to move to help ``condition`` (ARCHITECTURE: 6.6).

    ``layers``: one array of :data:`MARKS` for the input, one a ReLU layer (its outputs) and one
    for the network's outputs. ``increment``: every path to a row of the condition has positive
    sign, so that lowering the neuron never helps; ``decrement``: negative; ``free``: there are
    paths of both signs; ``none``: no path. Exact in the float64 numbers of ``form``; a coefficient
    whose sign is lost in its rounding error counts as both signs.
    Source: Elboher, Gottschlich, Katz, "An Abstraction-Based Framework for Neural Network
    Verification", CAV 2020, section 3, without splitting neurons.
    """

    form: StandardForm
    condition: OutputCondition
    layers: tuple[Marks, ...]

    def table(self) -> tuple[dict[str, int], ...]:
        """How many neurons of each layer have each mark: ``layer``, ``size`` and the marks."""
        rows = []
        for k, marks in enumerate(self.layers):
            counts = {mark: int((marks == mark).sum()) for mark in MARKS}
            rows.append({"layer": k, "size": int(marks.size), **counts})
        return tuple(rows)

    @cached_property
    def graph(self) -> nx.DiGraph:
        """The neurons as nodes (layer, index) with ``layer``, ``index`` and ``mark``; edges with
        ``weight``, unless there are more than :data:`MOST_EDGES`."""
        graph = nx.DiGraph()
        for k, marks in enumerate(self.layers):
            for i, mark in enumerate(marks):
                graph.add_node((k, i), layer=k, index=i, mark=str(mark))
        maps = (*self.form.hidden, self.form.output)
        count = sum(int(sp.csr_array(w).count_nonzero()) for m in maps for w in m.weights)
        if count <= MOST_EDGES:
            graph.add_edges_from(self._edges())
        return graph

    def _edges(self) -> Iterator[tuple[tuple[int, int], tuple[int, int], dict[str, float]]]:
        for k, layer in enumerate((*self.form.hidden, self.form.output), start=1):
            for source, weight in zip(layer.sources, layer.weights, strict=True):
                entries = sp.coo_array(weight)
                for j, i, w in zip(*entries.coords, entries.data, strict=True):
                    if w != 0.0:
                        yield (source, int(i)), (k, int(j)), {"weight": float(w)}


def mark(
    network: Network | StandardForm,
    condition: OutputCondition | int,
    *,
    decision: str | Rule = Rule.ARGMAX,
) -> Marking:
    """Mark every neuron of ``network`` for ``condition``, or for a class that should win.

    Raises :class:`InputError` where the class does not exist or the condition does not fit.
    """
    form = network.standard_form if isinstance(network, Network) else network
    if not isinstance(condition, OutputCondition):
        condition = beats(int(condition), form.outputs, Rule.of(decision))
    if condition.matrix.shape[1] != form.outputs:
        raise InputError(
            f"the condition is on {condition.matrix.shape[1]} outputs, the network has "
            f"{form.outputs}"
        )
    return Marking(form, condition, tuple(_named(*s) for s in layer_signs(form, condition)))


def _named(up: NDArray[np.bool_], down: NDArray[np.bool_]) -> Marks:
    names = np.array(["none", "increment", "decrement", "free"])
    return np.asarray(names[up.astype(int) + 2 * down.astype(int)])
