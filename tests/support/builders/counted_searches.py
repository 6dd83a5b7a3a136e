"""Searches whose sub-problems are counted."""

from __future__ import annotations

import numpy as np

from marapatch.bounds.crown import linear_bounds
from marapatch.network.graph import Network, dense_network
from marapatch.problem.conditions import OutputCondition
from marapatch.verification.property_search import covering_radius


def wide_network(inputs: int = 8, width: int = 30, outputs: int = 4, seed: int = 1) -> Network:
    rng = np.random.default_rng(seed)
    sizes = [inputs, width, width, outputs]
    pairs = list(zip(sizes[1:], sizes[:-1], strict=True))
    return dense_network(
        [rng.normal(size=pair) for pair in pairs], [rng.normal(size=n) for n, _ in pairs]
    )


def between(network: Network, share: float) -> OutputCondition:
    """That output 0 is above ``share`` of the way from what is seen to what bounds leave open."""
    points = np.random.default_rng(1).uniform(size=(5000, network.inputs))
    seen = network.evaluate(points)[:, 0].max()
    ball = covering_radius(np.zeros(network.inputs), np.ones(network.inputs), network.input_dtype)
    most = linear_bounds(network.standard_form, ball).output[1][0]
    return OutputCondition(np.eye(1, network.outputs), np.array([seen + share * (most - seen)]))
