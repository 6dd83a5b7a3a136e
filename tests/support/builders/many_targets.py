"""A network with many targets, and what is asked of it."""

from __future__ import annotations

import numpy as np

from marapatch.network.graph import Network, dense_network


def wide(classes: int, width: int = 16) -> Network:
    rng = np.random.default_rng(4)
    return dense_network(
        [rng.normal(size=(width, 6)), rng.normal(size=(classes, width))],
        [rng.normal(size=width), rng.normal(size=classes)],
    )


IMAGE = np.full(6, 0.5)
