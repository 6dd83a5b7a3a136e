"""Ground truths with their trees, in files."""

from __future__ import annotations

import numpy as np

from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.groundtruth.result import GroundTruth
from marapatch.network.graph import Network, dense_network
from marapatch.problem.verdict import Evidence

RNG = np.random.default_rng(50)


SMALL = dense_network(
    [RNG.normal(size=(6, 3)), RNG.normal(size=(5, 6)), RNG.normal(size=(3, 5))],
    [RNG.normal(size=6), RNG.normal(size=5), RNG.normal(size=3)],
)


IMAGE = np.array([0.25, 0.5, 0.75])


def solved(network: Network = SMALL, x: np.ndarray = IMAGE, **given: object) -> GroundTruth:
    margin = given.pop("margin", 0.0)
    options = GroundTruthOptions(
        record=True,
        evidence=Evidence.BOUND,
        nodes=2000,
        tolerance=1e-3,
        margin=margin,  # type: ignore[arg-type]
    )
    return ground_truth(network, x, options=options, **given)  # type: ignore[arg-type]


RUN = [
    "groundtruth",
    "net.onnx",
    "image.npy",
    "--nodes",
    "2000",
    "--evidence",
    "bound",
    "--box",
    "0,1",
]


def label_of() -> int:
    return int(SMALL.evaluate(IMAGE)[0].argmax())
