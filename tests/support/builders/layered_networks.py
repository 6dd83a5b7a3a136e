"""Networks of every layer."""

from __future__ import annotations

import numpy as np
from exact_networks import Sketch

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


def _one(layer: Layer, outputs: int) -> Network:
    sketch = Sketch(4)
    return sketch.network(sketch.add(layer, "input"), outputs)


def _two(layer: Layer, outputs: int) -> Network:
    """``layer`` on the input and a ReLU of it."""
    sketch = Sketch(4)
    return sketch.network(sketch.add(layer, "input", sketch.add(Relu(), "input")), outputs)


NETWORKS = {
    "affine": (_one(Affine(np.arange(8.0).reshape(2, 4), np.ones(2)), 2), 0),
    "relu": (_one(Relu(), 4), 4),
    "leaky": (_one(LeakyRelu(0.25), 4), 4),
    "leaky, negative": (_one(LeakyRelu(-0.5), 4), 4),
    "abs": (_one(Abs(), 4), 4),
    "clip": (_one(Clip(-0.5, 0.75), 4), 8),
    "clip below": (_one(Clip(-0.5, np.inf), 4), 4),
    "clip above": (_one(Clip(-np.inf, 0.75), 4), 4),
    "clip nowhere": (_one(Clip(-np.inf, np.inf), 4), 0),
    "max pool": (_one(MaxPool(np.array([[0, 1, 2], [3, 3, 1]])), 2), 4),
    "max pool of four": (_one(MaxPool(np.array([[0, 1, 2, 3]])), 1), 3),
    "maximum": (_two(Maximum(), 4), 8),
    "sum": (_two(Sum((0.5, -2.0)), 4), 4),
    "concat": (_two(Concat(), 8), 4),
}
