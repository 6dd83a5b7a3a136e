"""How often, how small and how fast are adversarial inputs found by way of patches?

Each suite is a list of instances; each instance becomes one row of
results/patch-attacks-SUITE.jsonl, timeouts and failures too. A suite that was stopped goes on where
it ended, in the same command.

  python benchmarks/patch_attacks.py --list
  python benchmarks/patch_attacks.py --suite mnist      AIGENT's two MNIST networks, 500 images each
  python benchmarks/patch_attacks.py --suite cifar      its two CIFAR networks and a CNN, 200 each
  python benchmarks/patch_attacks.py --suite optimum    beside Carlini-Wagner and the ground truth
  python benchmarks/patch_attacks.py --suite phases     free against fixed against linear
  python benchmarks/patch_attacks.py --suite marabou    wholly by Marabou queries
  python benchmarks/patch_attacks.py --suite mnist --limit 20 --timeout 10     a first look
  python benchmarks/patch_attacks.py --report                  the tables of every suite
  python benchmarks/patch_attacks.py --report --write benchmarks/PERFORMANCE.md

The images are the first of the test set that the network decides rightly. The data are found
through MARAPATCH_DATA.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import islice
from math import inf
from pathlib import Path

import numpy as np
from _ground_truth_report import write
from _harness import RESULTS, Row, Store, finite, processor_seconds, run
from _patch_attack_report import report
from ground_truth import Goal, attack_distance, target_of
from numpy.typing import NDArray

from marapatch.data.bundled import PREFIX, resolve
from marapatch.data.fetch import locate
from marapatch.errors import MarapatchError
from marapatch.groundtruth.api import GroundTruth, GroundTruthOptions, ground_truth
from marapatch.groundtruth.report import status
from marapatch.network.graph import Network
from marapatch.network.load import load
from marapatch.patch_attack.api import PatchAttackOptions, patch_attack
from marapatch.patch_attack.measures import decisions
from marapatch.patch_attack.records import Record, record
from marapatch.problem.ball import Ball, Norm
from marapatch.problem.conditions import Rule

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


@cache
def network_of(name: str) -> Network:
    return load(resolve(name, "network") if name.startswith(PREFIX) else locate(name))


@cache
def images_of(path: str) -> tuple[Array, NDArray[np.int64]]:
    """The images of a file, flat, scaled to [0, 1], and their labels."""
    with np.load(locate(path)) as arrays:
        images = arrays["images"].astype(np.float64) / 255.0
        return images.reshape(len(images), -1), arrays["labels"].astype(np.int64)


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


SUITES: Mapping[str, tuple[str, Callable[[str], Iterator[Instance]]]] = {
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


def store_of(suite: str, folder: Path = RESULTS) -> Store:
    return Store(folder / f"patch-attacks-{suite}.jsonl")


def replayed(row: Row) -> tuple[Record, Array]:
    """The record in a row, and the image it is about, as the network takes it."""
    names = Record.__dataclass_fields__
    found = Record.from_row({name: row[name] for name in names})
    network = network_of(row["network"])
    x = test_set(row["network"])[0][row["image"]].astype(network.input_dtype).astype(np.float64)
    return found, x


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--list", action="store_true", help="list the suites, and how much is done")
    add("--suite", action="append", choices=list(SUITES), help="which suite; may be repeated")
    add("--limit", type=int, help="only the first so many instances of the suite")
    add("--timeout", type=float, help="other seconds an instance; such rows have their own keys")
    add("--jobs", type=int, default=1, help="instances at a time, one thread each (default 1)")
    add("--again", action="store_true", help="forget failed rows first, so that they run again")
    add("--results", type=Path, default=RESULTS, help="folder of the rows (default: %(default)s)")
    add("--report", action="store_true", help="print the tables in markdown; runs nothing")
    add("--write", type=Path, help="with --report: put the tables between their marks in a file")
    return parser


def main() -> int:
    """Run the suites asked for, or print the tables."""
    parser = _arguments()
    options = parser.parse_args()
    chosen = options.suite or list(SUITES)
    if options.list:
        for suite in chosen:
            done = len(store_of(suite, options.results).rows())
            print(f"{suite:8} {done} rows done: {SUITES[suite][0]}")
        return 0
    if options.report:
        texts = {}
        for suite in chosen:
            rows = store_of(suite, options.results).rows()
            expected = len(list(SUITES[suite][1](suite)))
            texts[f"patch-attacks-{suite}"] = report(suite, rows, expected, network_of, replayed)
        if options.write is not None:
            write(options.write, texts)
        else:
            print("\n".join(f"### {suite}\n\n{text}" for suite, text in texts.items()))
        return 0
    if not options.suite:
        parser.error("say which --suite to run, or --list or --report")
    for suite in options.suite:
        cases = list(islice(SUITES[suite][1](suite), options.limit))
        if options.timeout is not None:
            cases = [replace(case, timeout=options.timeout) for case in cases]
        store = store_of(suite, options.results)
        if options.again:
            store.forget(lambda row: row["status"] == "failed")
        run(cases, work, store, jobs=options.jobs)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MarapatchError as problem:
        sys.exit(f"patch_attacks.py: {problem}")
