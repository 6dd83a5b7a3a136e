"""Questions about patches."""

from __future__ import annotations

import numpy as np

from marapatch.network.graph import Network, dense_network


def network() -> tuple[Network, np.ndarray]:
    """Twenty inputs, each decided as 0 or as 3; wanted is the other one of these."""
    rng = np.random.default_rng(4)
    weights = [rng.normal(size=s) for s in ((12, 6), (12, 12), (4, 12))]
    biases = [0.1 * rng.normal(size=len(w)) for w in weights]
    return dense_network(weights, biases), rng.uniform(0.1, 1.0, size=(20, 6))
