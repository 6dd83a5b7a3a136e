"""Networks to be marked."""

from __future__ import annotations

import numpy as np
from small_networks import plain

from marapatch.network.graph import Network, dense_network


def network(seed: int, sizes: tuple[int, ...]) -> Network:
    """Random weights, a third of them 0."""
    rng = np.random.default_rng(seed)
    weights, biases = plain(rng, sizes)
    return dense_network([w * (rng.random(w.shape) < 0.66) for w in weights], biases)
