"""Small networks to be halved."""

from __future__ import annotations

import numpy as np
from small_networks import plain

from marapatch.network.graph import Network, dense_network
from marapatch.patch_attacks.halving import FirstLayerPatch
from marapatch.problem.conditions import OutputCondition, Rule, beats

MARGIN = 1e-3


def network(seed: int, sizes: tuple[int, ...] = (6, 14, 12, 10, 3)) -> Network:
    """Wide enough that every class is within reach from every layer."""
    return dense_network(*plain(np.random.default_rng(seed), sizes))


def wanted(net: Network, x: np.ndarray) -> tuple[int, OutputCondition]:
    """The class that comes second, and the condition that it leads."""
    second = int(np.argsort(-net.evaluate(x)[0])[1])
    return second, beats(second, net.outputs, Rule.ARGMAX, MARGIN)


def patched(net: Network, found: FirstLayerPatch) -> Network:
    layer = net.affine_layers[found.layer]
    weight, _ = net.weights(layer.node)
    assert found.delta is not None
    return net.with_weights(layer.node, weight + found.delta)
