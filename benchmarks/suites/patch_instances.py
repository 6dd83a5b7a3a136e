"""The patch suites: which least changes are sought, of which networks, for which goals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.rows import Row
from benchmarks.harness.subjects import acas_xu, images_of, network_of
from marapatch.data.fetch import locate
from marapatch.network.graph import Network
from marapatch.patching.goals import Goal, linear

Array = NDArray[np.float64]

MNIST = "mnist/mnist_test.npz"
AIGENT_POINT = (0.6399288845, 0.0, 0.0, 0.475, -0.475)


@dataclass(frozen=True)
class Instance:
    """One patch: ``about`` names the inputs and goals within the suite."""

    suite: str
    network: str
    rows: tuple[int, ...]
    goal: str
    layer: int
    norm: str
    margin: float
    decision: str
    method: str
    timeout: float

    @property
    def key(self) -> str:
        rows = ",".join(map(str, self.rows)) if len(self.rows) < 6 else f"{len(self.rows)} rows"
        return (
            f"{self.network} {rows} {self.goal} layer={self.layer} {self.norm} "
            f"margin={self.margin:g} {self.method} {self.timeout:g}s"
        )

    def about(self) -> Row:
        return asdict(self)


@cache
def inputs_of(suite: str, network: str) -> Array:
    if "acasxu" in network:
        rows = np.loadtxt(locate("goldberger/acas_2_9/inputs.csv"), delimiter=",")
        return np.vstack([rows, AIGENT_POINT])
    if suite == "mnist":
        return images_of(MNIST)[0]
    with np.load(locate("reassure/watermark_set.npz")) as arrays:
        return np.asarray(arrays["images"].reshape(100, 784))


def goals_of(case: Instance, network: Network, inputs: Array) -> list[Goal | str]:
    """``second``: the second best class leads all; ``published``: it leads the best one, and no
    more is asked; ``label``: what the image shows; else what the goal says, for every input."""
    if case.goal == "label":
        return [str(images_of(MNIST)[1][row]) for row in case.rows]
    if case.goal not in ("second", "published"):
        return [case.goal]
    goals: list[Goal | str] = []
    for y in network.evaluate(inputs):
        first, second = np.argsort(-y)[:2]
        if case.goal == "second":
            goals.append(str(second))
            continue
        matrix = np.zeros((1, y.size))
        matrix[0, second], matrix[0, first] = 1.0, -1.0
        goals.append(linear(matrix, [case.margin], y.size))
    return goals


def acas() -> Iterable[Instance]:
    """The published last-layer experiments on N_2,9."""
    name, layer = acas_xu("2_9"), 6
    for method in ("auto", "marabou"):
        for count in range(1, 6):
            rows = tuple(range(count))
            for goal in ("0&1", "0|1"):
                yield Instance("acas", name, rows, goal, layer, "l1", 1e-3, "argmin", method, 120.0)
            yield Instance("acas", name, rows, "0&1", layer, "linf", 1e-2, "argmin", method, 120.0)


def watermark() -> Iterable[Instance]:
    """100 single watermarks in both norms, 50 subsets of 2 to 5 in L-infinity."""
    name = "reassure/watermark_model.onnx"
    for norm in ("linf", "l1"):
        for i in range(100):
            yield Instance("watermark", name, (i,), "second", 1, norm, 0.0, "argmax", "auto", 60.0)
    with np.load(locate("goldberger/watermark/arrays.npz")) as arrays:
        for count in range(2, 6):
            for subset in arrays[f"random_samples_{count}"][:50]:
                rows = tuple(int(i) for i in subset)
                yield Instance(
                    "watermark", name, rows, "published", 1, "linf", 0.0, "argmax", "auto", 60.0
                )


def layers() -> Iterable[Instance]:
    """Every layer of the four networks, both norms."""
    for network, row in (("1_2", 8), ("1_6", 8), ("3_8", 8), ("2_9", 0)):
        for norm in ("l1", "linf"):
            for layer in range(6, -1, -1):
                yield Instance(
                    "layers", acas_xu(network), (row,), "0", layer, norm, 1e-4, "argmax",
                    "auto", 60.0,
                )  # fmt: skip


def engines() -> Iterable[Instance]:
    """The same question by neuron and by weight."""
    for layer in range(6, -1, -1):
        for norm in ("linf", "l1"):
            yield Instance(
                "engines", acas_xu("2_9"), (0,), "0", layer, norm, 1e-4, "argmax", "both", 30.0
            )


def marks() -> Iterable[Instance]:
    """By weight, with marks and without."""
    acas, watermark = acas_xu("2_9"), "reassure/watermark_model.onnx"
    cases = [
        (acas, (0, 1, 2, 3), "0&1", 6, "argmin", 1e-2),
        (acas, (0,), "0", 6, "argmax", 1e-4),
        (acas, (0,), "0", 5, "argmax", 1e-4),
        (acas, (0,), "0", 4, "argmax", 1e-4),
        (acas, (0,), "0", 0, "argmax", 1e-4),
        (watermark, (0,), "second", 1, "argmax", 0.0),
        (watermark, tuple(range(10)), "second", 1, "argmax", 0.0),
        (watermark, tuple(range(50)), "second", 1, "argmax", 0.0),
    ]
    for network, rows, goal, layer, decision, margin in cases:
        for norm in ("linf", "l1"):
            for method in ("weights", "weights-unmarked"):
                yield Instance(
                    "marks", network, rows, goal, layer, norm, margin, decision, method, 30.0
                )


def mnist() -> Iterable[Instance]:
    """The first misclassified test images, repaired together in the last and an inner layer."""
    images, labels = images_of(MNIST)
    for name in ("example:mnist_3x24", "mnist_fc/onnx/mnist-net_256x2.onnx"):
        network = network_of(name)
        wrong = np.flatnonzero(network.evaluate(images).argmax(axis=1) != labels)
        last = len(network.affine_layers) - 1
        for count in (1, 10, 50):
            rows = tuple(int(i) for i in wrong[:count])
            for layer in (last, last - 1):
                for norm in ("linf", "l1"):
                    yield Instance(
                        "mnist", name, rows, "label", layer, norm, 1e-3, "argmax", "auto", 60.0
                    )


SUITES: Mapping[str, tuple[str, Callable[[], Iterable[Instance]]]] = {
    "acas": ("Goldberger et al., ACAS Xu N_2,9, last layer", acas),
    "watermark": ("Goldberger et al., watermark removal", watermark),
    "layers": ("the setting of AIGENT's Table III, every layer", layers),
    "engines": ("one variable a neuron against one a weight", engines),
    "marks": ("what marking saves", marks),
    "mnist": ("repair of misclassified test images", mnist),
}
