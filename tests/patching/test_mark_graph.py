"""The graph of a network with its marks."""

from __future__ import annotations

import numpy as np
from marked_networks import network

from marapatch.patching.mark_graph import MARKS, mark


def test_table_counts_every_neuron_once() -> None:
    marking = mark(network(2, (3, 5, 4, 3)), 0)
    rows = marking.table()
    assert [row["size"] for row in rows] == [3, 5, 4, 3]
    assert [row["layer"] for row in rows] == [0, 1, 2, 3]
    assert all(sum(row[name] for name in MARKS) == row["size"] for row in rows)


def test_graph_has_every_neuron_and_every_weight() -> None:
    net = network(3, (3, 4, 2))
    marking = mark(net, 1)
    graph = marking.graph
    assert graph.number_of_nodes() == 9
    for (k, i), known in graph.nodes(data=True):
        assert (known["layer"], known["index"]) == (k, i)
        assert known["mark"] == marking.layers[k][i]
    weights = [net.weights(layer.node)[0] for layer in net.affine_layers]
    assert graph.number_of_edges() == sum(np.count_nonzero(w) for w in weights)
    for (k, i), (to, j), known in graph.edges(data=True):
        assert to == k + 1
        assert known["weight"] == weights[k][j, i]
