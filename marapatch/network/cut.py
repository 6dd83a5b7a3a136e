"""Networks cut at a pre-activation: what leads to it, and what is made of it."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from marapatch.errors import InputError
from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.graph import Network
from marapatch.network.layers import Array


def tail(network: Network | StandardForm, number: int) -> StandardForm:
    """What follows the pre-activation of affine layer ``number`` (from 0), as a function of it.

    Of a :class:`Network`, ``number`` counts ``network.affine_layers`` and the pre-activation is
    that layer's output; of a :class:`StandardForm` it counts the maps, the output's being the
    last. The first thing applied is usually the ReLU that follows. Exact. Raises
    :class:`InputError` where something else bypasses the cut (a residual connection around it),
    or there is no such layer.
    """
    if isinstance(network, StandardForm):
        return _form_tail(network, number)
    return tail_network(network, _node(network, number)).standard_form


def head(network: Network | StandardForm, number: int) -> StandardForm:
    """What leads from the input to the pre-activation of affine layer ``number``.

    Counted as in :func:`tail`. Exact; raises :class:`InputError` where there is no such layer.
    """
    if isinstance(network, StandardForm):
        maps = _maps(network, number)
        return StandardForm(network.inputs, maps[:number], maps[number])
    return head_network(network, _node(network, number)).standard_form


def tail_network(network: Network, node: str) -> Network:
    """The part of ``network`` after ``node``, whose values are its input.

    Raises :class:`InputError` where a later node takes anything from before ``node``.
    """
    after = nx.descendants(network.graph, node)
    if node != network.output_node and network.output_node not in after:
        raise InputError(f"the output does not depend on {node!r}")
    for name in network.order:
        if name in after:
            around = set(network.predecessors(name)) - after - {node}
            if around:
                raise InputError(
                    f"the network cannot be cut at {node!r}: {name!r} takes {min(around)!r} "
                    "around it; choose a layer through which everything passes"
                )
    size = _width(network, node)
    return replace(
        network,
        graph=_part(network, after, node),
        input_node=node,
        input_shape=(size,),
        input_dtype=np.dtype(np.float64),
        input_box=None,
        source=None,
    )


def head_network(network: Network, node: str) -> Network:
    """The part of ``network`` that leads to ``node``, whose values are its output."""
    before = nx.ancestors(network.graph, node) | {node}
    size = _width(network, node)
    graph = _part(network, before - {network.input_node}, network.input_node)
    return replace(network, graph=graph, output_node=node, output_shape=(size,), source=None)


def pattern(network: Network | StandardForm, inputs: ArrayLike) -> list[NDArray[np.bool_]]:
    """Which ReLUs are active (pre-activation > 0): an array (batch, size) a ReLU layer.

    ``inputs``: for a network as in :meth:`Network.evaluate`, for a form (batch, inputs).
    """
    if isinstance(network, Network):
        form, x = network.standard_form, network.flatten(inputs)
    else:
        form, x = network, np.asarray(inputs, dtype=np.float64)
    return [z > 0.0 for z in form.pre_activations(x)[0]]


def _node(network: Network, number: int) -> str:
    layers = network.affine_layers
    if not 0 <= number < len(layers):
        raise InputError(f"layer {number} does not exist; layers are 0 to {len(layers) - 1}")
    return layers[number].node


def _width(network: Network, node: str) -> int:
    """The number of entries of the values at ``node``."""
    return int(network.values(np.zeros(network.inputs))[node].shape[1])


def _maps(form: StandardForm, number: int) -> tuple[AffineMap, ...]:
    maps = (*form.hidden, form.output)
    if not 0 <= number < len(maps):
        raise InputError(f"layer {number} does not exist; layers are 0 to {len(maps) - 1}")
    return maps


def _form_tail(form: StandardForm, number: int) -> StandardForm:
    maps = _maps(form, number)
    size = maps[number].outputs
    zero: Array = np.zeros(size)
    same = AffineMap((0,), (sp.eye_array(size, format="csr"),), zero, (None,), zero)
    if number == len(form.hidden):
        return StandardForm(size, (), same)
    shifted = []
    for k, layer in enumerate(maps[number + 1 :], start=number + 1):
        if min(layer.sources, default=number + 1) <= number:
            raise InputError(
                f"the network cannot be cut at layer {number}: layer {k} takes what comes before "
                "it; choose a layer through which everything passes"
            )
        shifted.append(replace(layer, sources=tuple(s - number for s in layer.sources)))
    return StandardForm(size, (same, *shifted[:-1]), shifted[-1])


def _part(network: Network, nodes: set[str], start: str) -> nx.DiGraph:
    """The graph of ``nodes`` after the input ``start``, in the order of evaluation."""
    graph = nx.DiGraph()
    graph.add_node(start)
    for name in network.order:
        if name in nodes:
            graph.add_node(name, **network.graph.nodes[name])
            graph.add_edges_from((source, name) for source in network.predecessors(name))
    return graph
