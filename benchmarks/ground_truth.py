"""How near are the brackets, and how fast? The ground-truth benchmarks.

Each suite is a list of instances. Each instance becomes one row of results/SUITE.jsonl; timeouts
and failures are rows. A suite that was stopped goes on where it ended, in the same command. An
instance has one thread, in a process that is replaced where it dies.

  python benchmarks/ground_truth.py --list
  python benchmarks/ground_truth.py --suite table1
  python benchmarks/ground_truth.py --suite table1 --limit 4 --timeout 5    a first look
  python benchmarks/ground_truth.py --suite seed360 --jobs 2
  python benchmarks/ground_truth.py --report                   the tables of every suite
  python benchmarks/ground_truth.py --report --write benchmarks/PERFORMANCE.md
  python benchmarks/ground_truth.py --check                    rows that look wrong

The suite acas needs MARAPATCH_DATA, or first: marapatch fetch acasxu mnist_fc
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from functools import cache
from math import inf
from pathlib import Path
from time import monotonic

import numpy as np
from _ground_truth_report import SUITES_REPORTED, check, report, write
from _harness import RESULTS, Row, Store, finite, processor_seconds, run
from numpy.typing import NDArray

from marapatch.attacks import CarliniWagner, Distance, Objective, Problem
from marapatch.ball import Ball, Norm
from marapatch.bundled import resolve
from marapatch.data import locate
from marapatch.errors import MarapatchError
from marapatch.groundtruth import GroundTruth, GroundTruthOptions, Progress, ground_truth
from marapatch.network.load import load
from marapatch.network.network import Network
from marapatch.properties import Rule
from marapatch.report import status

Array = NDArray[np.float64]

ACAS_INPUTS = 5
ACAS_SEED = 2018

PUBLISHED = GroundTruthOptions(search="bisection", encoding="relu", bounds=False)
"""Algorithm 1 of the paper: binary search, absolute values as ReLUs, Marabou asked alone."""

DESCENT = GroundTruthOptions(search="descent")

METHODS: Mapping[str, GroundTruthOptions] = {
    "tree": GroundTruthOptions(),
    "descent": DESCENT,
    "published": PUBLISHED,
    "relu": replace(DESCENT, encoding="relu"),
    "abs": replace(DESCENT, encoding="abs"),
    "split": replace(DESCENT, encoding="split"),
    "relu-no-bounds": replace(DESCENT, encoding="relu", bounds=False),
    "abs-no-bounds": replace(DESCENT, encoding="abs", bounds=False),
    "split-no-bounds": replace(DESCENT, encoding="split", bounds=False),
}
"""How a bracket is sought; ``tree`` is the default of the program."""


class Goal(Enum):
    """A target that depends on the input."""

    ANY = "any"
    """Every other class: untargeted."""
    RUNNER_UP = "runner-up"
    """The class with the second best output."""
    NEAREST = "nearest"
    """The class that the Carlini-Wagner attack finds nearest."""


@dataclass(frozen=True)
class Instance:
    """One bracket to find. ``image``: which of the input source's inputs, counted from 0."""

    suite: str
    network: str
    norm: str
    image: int
    target: int | Goal
    method: str
    timeout: float

    @property
    def key(self) -> str:
        """Its name in the store."""
        goal = self.target.value if isinstance(self.target, Goal) else self.target
        parts = (self.network, self.norm, self.image, goal, self.method, f"{self.timeout:g}s")
        return "/".join(map(str, parts))

    def about(self) -> Row:
        """Its fields, for the row."""
        row = asdict(self)
        if isinstance(self.target, Goal):
            row["goal"], row["target"] = self.target.value, None
        return row


@dataclass(frozen=True)
class Subject:
    """A network with the inputs asked about: (n, inputs), the box, and how it decides."""

    network: Network
    inputs: Array
    box: tuple[Array, Array]
    rule: Rule


def _digits(network: Network) -> Subject:
    """The ten bundled MNIST images, one a digit in the order 0 to 9, scaled to [0, 1]."""
    with np.load(resolve("example:digits", "image")) as arrays:
        images = arrays["images"].reshape(10, -1) / 255.0
    box = np.zeros(images.shape[1]), np.ones(images.shape[1])
    return Subject(network, images, box, Rule.ARGMAX)


def _acas(name: str) -> Subject:
    """Inputs drawn evenly from the domain that the network's .nnet file states."""
    low, high = load(locate(f"acasxu/nnet/ACASXU_run2a_{name}_batch_2000.nnet")).input_box or (0, 0)
    network = load(locate(f"acasxu/onnx/ACASXU_run2a_{name}_batch_2000.onnx"))
    lower, upper = np.asarray(low, np.float64), np.asarray(high, np.float64)
    inputs = np.random.default_rng(ACAS_SEED).uniform(lower, upper, (ACAS_INPUTS, lower.size))
    return Subject(network, inputs, (lower, upper), Rule.ARGMIN)


SUBJECTS: Mapping[str, Callable[[], Subject]] = {
    "N": lambda: _digits(load(resolve("example:mnist_3x24", "network"))),
    "N-bar": lambda: _digits(load(resolve("example:mnist_3x24_adversarial", "network"))),
    "acas 1,1": lambda: _acas("1_1"),
    "acas 2,9": lambda: _acas("2_9"),
    "acas 3,3": lambda: _acas("3_3"),
    "mnist_fc 256x2": lambda: _digits(load(locate("mnist_fc/onnx/mnist-net_256x2.onnx"))),
}

subject = cache(lambda name: SUBJECTS[name]())


def grid(suite: str, images: int, timeout: float) -> Iterator[Instance]:
    """N and N-bar, both norms, every target of the first ``images`` digits.

    The four groups, and the images, take turns, so that a partial run is balanced over them.
    """
    for turn in range(9):
        for image in range(images):
            others = [target for target in range(10) if target != image]
            target = others[(turn + image) % 9]
            for network in ("N", "N-bar"):
                for norm in ("linf", "l1"):
                    yield Instance(suite, network, norm, image, target, "tree", timeout)


def _published(suite: str) -> Iterator[Instance]:
    for image in range(3):
        for norm in ("linf", "l1"):
            yield Instance(suite, "N", norm, image, Goal.NEAREST, "published", 100.0)


def _encodings(suite: str) -> Iterator[Instance]:
    forms = ("split", "abs", "relu")
    for image in range(5):
        for method in (*forms, *(f"{form}-no-bounds" for form in forms)):
            yield Instance(suite, "N", "l1", image, Goal.NEAREST, method, 20.0)


def _acas_suite(suite: str) -> Iterator[Instance]:
    for image in range(ACAS_INPUTS):
        for network in ("acas 1,1", "acas 2,9", "acas 3,3", "mnist_fc 256x2"):
            yield Instance(suite, network, "linf", image, Goal.ANY, "tree", 60.0)


def _first(suite: str) -> Iterator[Instance]:
    for image in range(3):
        for norm in ("linf", "l1"):
            for method in ("descent", "tree"):
                yield Instance(suite, "N", norm, image, Goal.RUNNER_UP, method, 60.0)


SUITES: Mapping[str, tuple[str, Callable[[str], Iterator[Instance]]]] = {
    "table1": (
        "N and N-bar, digits 0, 1, 2, every target, both norms: 108 instances of 20 s",
        lambda suite: grid(suite, 3, 20.0),
    ),
    "published": (
        "the published method (binary search, Marabou alone) on 6 of them, 100 s each",
        _published,
    ),
    "encodings": (
        "N, L1, nearest target of digits 0 to 4: three forms of the ball, with and without "
        "linear bounds, search descent, 20 s each",
        _encodings,
    ),
    "acas": (
        "three ACAS Xu networks and mnist_fc 256x2, untargeted L-inf, 5 inputs each, 60 s",
        _acas_suite,
    ),
    "first": (
        "N, runner-up target, digits 0, 1, 2, both norms, 60 s: Marabou's descent and the tree",
        _first,
    ),
    "seed360": (
        "N and N-bar, all ten digits, every target, both norms: 360 instances of 60 s",
        lambda suite: grid(suite, 10, 60.0),
    ),
}


def measure(instance: Instance) -> Row:
    """Attack, then find the bracket; the row of ``instance``."""
    about = subject(instance.network)
    network, rule = about.network, about.rule
    # Rounded as the program rounds it: the distances are about this very vector.
    x = about.inputs[instance.image].astype(network.input_dtype).astype(np.float64)
    outputs = network.evaluate(x)[0]
    label = rule.decide(outputs)
    ball = Ball(x, *about.box, Norm(instance.norm), inf)
    target = _target(instance.target, network, ball, outputs, label, rule)
    attack, attack_seconds = _attack(network, ball, rule, label, target)
    first: list[float] = []

    def progress(now: Progress) -> None:
        if not first:
            first.append(now.upper)

    options = replace(METHODS[instance.method], timeout=instance.timeout)
    before = processor_seconds()
    result = ground_truth(
        network,
        x,
        norm=instance.norm,
        target=target,
        box=about.box,
        decision=rule,
        options=options,
        progress=progress,
    )
    row = instance.about()
    source = network.source
    return {
        **row,
        "target": target,
        "label": label,
        "sha256": None if source is None else source.sha256,
        "attack": finite(attack),
        "attack_seconds": attack_seconds,
        "first_upper": finite(first[0]) if first else None,
        **_answer(result),
        "cpu": processor_seconds() - before,
        "options": {
            field.name: getattr(value, "value", value)
            for field in fields(options)
            for value in (getattr(options, field.name),)
        },
    }


def _answer(result: GroundTruth) -> Row:
    """What came out; ``first_upper`` beside it is the first witness, attacked and polished."""
    nearest = min(result.targets, key=lambda t: t.upper)
    witness = nearest.witness
    return {
        "status": status(result),
        "closed": result.closed,
        "lower": finite(result.lower),
        "upper": finite(result.upper),
        "evidence": result.evidence.value,
        "seconds": result.seconds,
        "queries": len(result.queries),
        "verdicts": dict(Counter(f"{q.backend}: {q.verdict}" for q in result.queries)),
        "nodes": sum(t.nodes for t in result.targets),
        "nearest": nearest.target,
        "witness_margin": None if witness is None else witness.margin,
        "witness_confirmed": None if witness is None else witness.confirmed,
        "note": "; ".join(dict.fromkeys(t.note for t in result.targets if t.note)),
    }


def _target(
    goal: int | Goal, network: Network, ball: Ball, outputs: Array, label: int, rule: Rule
) -> int | None:
    """The class that ``goal`` means for this input; None for every other class."""
    others = [k for k in range(network.outputs) if k != label]
    match goal:
        case int():
            return goal
        case Goal.ANY:
            return None
        case Goal.RUNNER_UP:
            return max(others, key=lambda k: rule.sign * outputs[k])
        case Goal.NEAREST:
            objective = Objective.towards(others, argmin=rule is Rule.ARGMIN)
            form, dtype = network.standard_form, network.input_dtype
            problem = Problem.of_ball(form, ball, objective, dtype)
            return others[int(CarliniWagner().run(problem).distances.argmin())]


def _attack(
    network: Network, ball: Ball, rule: Rule, label: int, target: int | None
) -> tuple[float, float]:
    """The distance that Carlini and Wagner's attack finds for the norm, and its seconds."""
    argmin = rule is Rule.ARGMIN
    objective = (
        Objective.away_from([label], argmin=argmin)
        if target is None
        else Objective.towards([target], argmin=argmin)
    )
    problem = Problem.of_ball(network.standard_form, ball, objective, network.input_dtype)
    assert problem.distance is Distance.of(ball.norm)
    started = monotonic()
    result = CarliniWagner().run(problem)
    return float(result.distances[0]), monotonic() - started


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--list", action="store_true", help="say what the suites are and how much is done")
    add("--suite", action="append", choices=list(SUITES), help="which suite; may be repeated")
    add("--jobs", type=int, default=1, help="instances at a time, one thread each (default 1)")
    add("--limit", type=int, help="only the first so many instances of the suite")
    add("--timeout", type=float, help="other seconds an instance; such rows have their own keys")
    add("--again", action="store_true", help="forget failed rows first, so that they run again")
    add("--results", type=Path, default=RESULTS, help="folder of the rows (default: %(default)s)")
    add("--report", action="store_true", help="print the tables in markdown; runs nothing")
    add("--write", type=Path, help="with --report: put the tables between their marks in a file")
    add("--check", action="store_true", help="print rows that look wrong; exit 1 if there are any")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    for suite in arguments.suite:
        cases = list(SUITES[suite][1](suite))[: arguments.limit]
        if arguments.timeout is not None:
            cases = [replace(case, timeout=arguments.timeout) for case in cases]
        store = Store(arguments.results / f"{suite}.jsonl")
        if arguments.again:
            store.forget(lambda row: row["status"] == "failed")
        run(cases, measure, store, jobs=arguments.jobs, report=_say)
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def main(argv: list[str] | None = None) -> int:
    """Run what the arguments say; the exit code."""
    parser = _arguments()
    arguments = parser.parse_args(argv)
    rows = {suite: Store(arguments.results / f"{suite}.jsonl").rows() for suite in SUITES}
    if arguments.list:
        for suite, (about, cases) in SUITES.items():
            done = {row["key"] for row in rows[suite]}
            keys = [case.key for case in cases(suite)]
            print(f"{suite:10} {sum(key in done for key in keys):3} of {len(keys):3} done: {about}")
        return 0
    if arguments.check:
        problems = [line for suite in arguments.suite or SUITES for line in check(rows[suite])]
        print("\n".join(problems) or "nothing looks wrong")
        return 1 if problems else 0
    if arguments.report:
        sizes = {suite: len(list(cases(suite))) for suite, (_, cases) in SUITES.items()}
        texts = {
            suite: report(suite, rows, sizes.get(suite, 0))
            for suite in arguments.suite or SUITES_REPORTED
        }
        if arguments.write is not None:
            write(arguments.write, texts)
        else:
            print("\n".join(f"### {suite}\n\n{text}" for suite, text in texts.items()))
        return 0
    if not arguments.suite:
        parser.error("say which --suite to run, or --list, --report or --check")
    return _run(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MarapatchError as problem:
        sys.exit(f"ground_truth.py: {problem}")
