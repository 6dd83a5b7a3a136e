"""How often, how small and how fast are adversarial inputs found by way of patches?

Each suite is a list of instances; each instance becomes one row, timeouts and failures too. A suite
that was stopped goes on where it ended, in the same command.

  python -m benchmarks.suites.patch_attacks --list
  python -m benchmarks.suites.patch_attacks --suite mnist
  python -m benchmarks.suites.patch_attacks --suite mnist --limit 20 --timeout 10     a first look
  python -m benchmarks.suites.patch_attacks --report            the tables of every suite
  python -m benchmarks.suites.patch_attacks --report --write    put them on their page

The images are the first of the test set that the network decides rightly. The data are found
through MARAPATCH_DATA.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from math import inf

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.command import (
    Suite,
    Suites,
    exit_with,
    main_of_several,
    parser_of_several,
)
from benchmarks.harness.rows import Row, finite, processor_seconds
from benchmarks.harness.subjects import images_of, network_of
from benchmarks.harness.targets import Goal, attack_distance, target_of
from benchmarks.reports.patch_attacks import report
from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.groundtruth.report import status
from marapatch.groundtruth.result import GroundTruth
from marapatch.network.graph import Network
from marapatch.patch_attacks.api import PatchAttackOptions, patch_attack
from marapatch.patch_attacks.measures import decisions
from marapatch.patch_attacks.records import Record, record
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import Rule
from marapatch.problem.norm import Norm

Array = NDArray[np.float64]

MNIST = ("aigent/mnist_8_16.onnx", "aigent/mnist_6x50.onnx")
CIFAR = (
    "aigent/cifar_100_50_25.onnx",
    "aigent/cifar_5x50.onnx",
    "cifar10/onnx/marabou_cifar10_small.onnx",
)
SEEDS = ("example:mnist_3x24", "example:mnist_3x24_adversarial")
"""N and N-bar."""

SAMPLES = 500
"""Training images from which linear phases are learnt."""


@dataclass(frozen=True)
class Instance:
    """One image: ``image`` counts those of the test set. ``search``: of the ground truth beside
    it (empty: none)."""

    suite: str
    network: str
    image: int
    minimise: str
    phases: str
    backend: str
    search: str
    timeout: float

    @property
    def key(self) -> str:
        parts = (self.network, self.image, self.minimise, self.phases, self.backend, self.search)
        return " ".join([*map(str, filter(lambda part: part != "", parts)), f"{self.timeout:g}s"])

    def about(self) -> Row:
        return asdict(self)


def test_set(network: str) -> tuple[Array, NDArray[np.int64]]:
    """The test images that ``network`` is for; its inputs are these numbers as they are (colours
    last)."""
    small = network_of(network).inputs == 784
    return images_of("mnist/mnist_test.npz" if small else "cifar10/cifar10_test_first1000.npz")


@cache
def samples_of(network: str) -> Array:
    """Training images for linear phases."""
    small = network_of(network).inputs == 784
    path = "mnist/mnist_train.npz" if small else "cifar10/cifar10_train_first500.npz"
    return images_of(path)[0][:SAMPLES]


def right(network: str, count: int) -> list[int]:
    """The first ``count`` test images that ``network`` decides as labelled."""
    images, labels = test_set(network)
    some = min(len(images), 4 * count + 100)
    known = network_of(network)
    decided = decisions(known, images[:some].astype(known.input_dtype))
    return [int(i) for i in np.flatnonzero(decided == labels[:some])[:count]]


def work(case: Instance) -> Row:
    """Attack one image; with a ground truth beside it where the case names a search."""
    network = network_of(case.network)
    x = test_set(case.network)[0][case.image].astype(network.input_dtype).astype(np.float64)
    options = PatchAttackOptions(
        minimise=case.minimise,
        phases=case.phases,
        backend=case.backend,
        timeout=case.timeout,
        samples=samples_of(case.network) if case.phases == "linear" else None,
    )
    before = processor_seconds()
    if not case.search:
        attack = patch_attack(network, x, box=(0.0, 1.0), options=options)
        found = record(case.image, attack, x)
        return {**asdict(case), **asdict(found), "cpu": processor_seconds() - before}
    norm = Norm(case.minimise)
    ball = Ball(x, np.zeros(x.size), np.ones(x.size), norm, inf)
    outputs = network.evaluate(x)[0]
    label, rule = Rule.ARGMAX.decide(outputs), Rule.ARGMAX
    target = target_of(Goal.NEAREST, network, ball, outputs, label, rule)
    cw, cw_seconds = attack_distance(network, ball, rule, label, target)
    attack = patch_attack(network, x, target=target, box=(0.0, 1.0), options=options)
    found = record(case.image, attack, x)
    init = found.adversarial(x) if found.found else None
    return {
        **asdict(case),
        **asdict(found),
        "cw": finite(cw),
        "cw_seconds": cw_seconds,
        "truth": _truth(case, network, x, target, None),
        "truth_init": None if init is None else _truth(case, network, x, target, init),
        "cpu": processor_seconds() - before,
    }


def _truth(
    case: Instance, network: Network, x: Array, target: int | None, init: Array | None
) -> Row:
    backend = "highs" if case.search == "descent" else "marabou"  # the tree asks nobody
    options = GroundTruthOptions(search=case.search, backend=backend, timeout=case.timeout)
    result: GroundTruth = ground_truth(
        network, x, norm=case.minimise, target=target, box=(0.0, 1.0), init=init, options=options
    )
    return {
        "status": status(result),
        "lower": finite(result.lower),
        "upper": finite(result.upper),
        "queries": len(result.queries),
        "nodes": sum(t.nodes for t in result.targets),
        "seconds": result.seconds,
    }


def attacks(
    suite: str,
    networks: tuple[str, ...],
    count: int,
    timeout: float,
    phases: tuple[str, ...] = ("free",),
    backend: str = "highs",
) -> Iterator[Instance]:
    """``count`` images of each network; networks and phases take turns."""
    images = {network: right(network, count) for network in networks}
    for turn in range(count):
        for network in networks:
            for phase in phases:
                image = images[network][turn]
                yield Instance(suite, network, image, "l0", phase, backend, "", timeout)


def optimum(suite: str) -> Iterator[Instance]:
    """20 images, N and N-bar, both norms, by the tree and by descent (whose queries count)."""
    images = {network: right(network, 20) for network in SEEDS}
    for turn in range(20):
        for network in SEEDS:
            for norm in ("linf", "l1"):
                for search in ("tree", "descent"):
                    image = images[network][turn]
                    yield Instance(suite, network, image, norm, "free", "highs", search, 20.0)


INSTANCES: Mapping[str, tuple[str, Callable[[str], Iterator[Instance]]]] = {
    "mnist": (
        "500 images of each of two networks, fewest pixels, 30 s an image",
        lambda suite: attacks(suite, MNIST, 500, 30.0),
    ),
    "cifar": (
        "200 images of each of three networks, fewest values, 60 s an image",
        lambda suite: attacks(suite, CIFAR, 200, 60.0),
    ),
    "optimum": ("N and N-bar, 20 images, both norms: attack, CW, ground truth, 20 s", optimum),
    "phases": (
        "50 images of each MNIST network: free, fixed and linear, 30 s an image",
        lambda suite: attacks(suite, MNIST, 50, 30.0, ("free", "fixed", "linear")),
    ),
    "marabou": (
        "20 images of the smaller MNIST network, every query by Marabou, 120 s an image",
        lambda suite: attacks(suite, MNIST[:1], 20, 120.0, backend="marabou"),
    ),
}


def replayed(row: Row) -> tuple[Record, Array]:
    """The record in a row, and the image it is about, as the network takes it."""
    content = {name: row[name] for name in Record.__dataclass_fields__}
    found = Record.from_row({"key": str(row["image"]), **content})
    network = network_of(row["network"])
    x = test_set(row["network"])[0][row["image"]].astype(network.input_dtype).astype(np.float64)
    return found, x


def _suite(name: str) -> Suite:
    about, cases = INSTANCES[name]
    return Suite(f"patch-attacks-{name}", about, partial(cases, name), work, partial(_report, name))


def _report(name: str, rows: Sequence[Row], expected: int) -> str:
    return report(name, rows, expected, network_of, replayed)


SUITES: Suites = {name: _suite(name) for name in INSTANCES}


def main() -> int:
    """Run the suites asked for, or print the tables."""
    return main_of_several(SUITES, parser_of_several(__doc__, SUITES).parse_args())


if __name__ == "__main__":
    exit_with(main)
