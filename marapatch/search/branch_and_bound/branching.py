"""Which neuron a node of the tree is split on. (ARCHITECTURE: 6.5.)

Shapes: B nodes, N neurons of all ReLU layers one after the other, K of them tried at each node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from marapatch.bounds.nodes import Nodes
from marapatch.bounds.subproblems import NodeBounder
from marapatch.network.layers import Array

Neurons = NDArray[np.int64]

TRIED_NEURONS = 32
"""Neurons tried at each node by the rule ``trial``: with 6 the trees of the benchmark are 1 to 9
times as large, with all of 72 they are as large as with 32."""

LEAST_GAIN = 1e-9
"""A child that gains nothing still leaves the other one's gain to compare."""

WANTED_GAIN = 0.01
"""The share of what is missing to a refutation that the better child of a split is to bring."""

GAP_STEPS = 30
"""Supergradient steps that find the relaxation's best point where no split brings so much."""

Rule = Callable[[NodeBounder, Nodes, Array], Neurons]
"""``rule(bounder, nodes, score)``: a neuron for every node. ``score`` (nodes, neurons): what each
neuron's relaxation costs the node's bound; negative where the neuron is stable."""


def trial(bounder: NodeBounder, nodes: Nodes, score: Array) -> Neurons:
    """Of the best by ``score``, the one whose two children gain most in the node's bound with
    the multipliers it has (the product of both gains).

    Where neither child gains, what the relaxation gives away is hidden behind coefficients that
    are 0 at the best multipliers: there the neuron where its best point is farthest from ReLU.
    """
    tried = np.argsort(-score, axis=1)[:, :TRIED_NEURONS]
    useful = np.take_along_axis(score, tried, 1) > 0.0
    rows, columns = np.nonzero(useful)
    parents, neuron = nodes.take(rows), tried[rows, columns]
    value = bounder.value(nodes)
    # Stable neurons among those tried keep -1 and are never chosen: the others' merit is a product
    # of gains of at least LEAST_GAIN, so above 0.
    merit, gain = np.full(tried.shape, -1.0), np.zeros(tried.shape)
    merit[rows, columns] = 1.0
    for phase in (1, -1):
        # With the parent's multipliers, so without a step: what it brings that ReLU is linear in
        # the child instead of within a triangle.
        gained = bounder.value(parents.split(neuron, phase)) - value[rows]
        merit[rows, columns] *= np.maximum(gained, LEAST_GAIN)
        gain[rows, columns] = np.maximum(gain[rows, columns], gained)
    best = merit.argmax(axis=1)
    chosen: Neurons = tried[np.arange(len(nodes)), best]
    unresolved = np.flatnonzero(gain[np.arange(len(nodes)), best] < -WANTED_GAIN * value)
    if unresolved.size:
        chosen[unresolved] = bounder.gaps(nodes.take(unresolved), GAP_STEPS).argmax(axis=1)
    return chosen


def by_score(bounder: NodeBounder, nodes: Nodes, score: Array) -> Neurons:
    """The neuron whose relaxation costs the bound most."""
    return np.asarray(score.argmax(axis=1))


def first_layer(bounder: NodeBounder, nodes: Nodes, score: Array) -> Neurons:
    """By ``trial``, but of the first layer that has an unstable neuron."""
    layer = np.where(score > 0.0, bounder.layer_of, len(bounder.spans))
    first = layer.min(axis=1, keepdims=True)
    return trial(bounder, nodes, np.where((layer == first) | (score < 0.0), score, 0.0))


RULES: Mapping[str, Rule] = {"trial": trial, "score": by_score, "first-layer": first_layer}
"""The rules by name; ``trial`` is the default, the others are there to be compared with it."""
