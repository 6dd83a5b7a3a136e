"""Networks and goals on probabilities."""

from __future__ import annotations

from math import inf
from pathlib import Path

import numpy as np
from onnx_models import model, node, save

from marapatch.network.graph import Network
from marapatch.network.load import load
from marapatch.patching.options import PatchOptions

OPTIONS = PatchOptions(nodes=2000)


def classifier(folder: Path, rng: np.random.Generator, classes: int, last: str) -> Network:
    constants = {
        "W": rng.normal(size=(2, 5)),
        "b": rng.normal(size=5),
        "V": 3.0 * rng.normal(size=(5, classes)),
        "c": rng.normal(size=classes),
    }
    nodes = [node("Gemm", ["x", "W", "b"], ["a"]), node("Relu", ["a"], ["r"])]
    nodes += [node("Gemm", ["r", "V", "c"], ["s"]), node(last, ["s"], ["y"], axis=-1)]
    return load(save(model(nodes, [1, 2], constants), folder))


def least_last_layer(network: Network, x: np.ndarray, target: int, odds: float) -> float:
    """The least largest change of the last layer's weights after which the target's probability
    is p, log(p / (1 - p)) = ``odds``: every score moves by the change times the sum of what
    enters, the target's up and all others down, so that the log-odds move by twice that."""
    weight, bias = network.weights(network.affine_layers[0].node)
    entering = np.maximum(weight @ x + bias, 0.0)
    scores = network.evaluate(x)[0]
    lead = scores[target] - np.logaddexp.reduce(np.delete(scores, target))
    total = float(entering.sum())
    return 0.0 if lead >= odds else ((odds - lead) / (2.0 * total) if total else inf)
