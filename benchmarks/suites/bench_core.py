"""How long the parts take: loading, bounds, lowering, one tree.

  pytest benchmarks/suites/bench_core.py --benchmark-enable

(Without the option each case runs once, untimed: the project's pytest settings disable timing.)
Needs nothing but the bundled networks. ``extra_info`` says what came out beside the time.
"""

from __future__ import annotations

from math import inf
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from marapatch.bounds.crown import bound_condition, linear_bounds
from marapatch.bounds.interval import interval_bounds
from marapatch.data.bundled import resolve
from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.groundtruth.report import status
from marapatch.groundtruth.result import GroundTruth
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.graph import Network
from marapatch.network.load import load
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition, Rule, beats
from marapatch.problem.norm import Norm
from marapatch.query.lowering import lower
from marapatch.witnesses.attacks import CarliniWagner, Objective, Problem
from marapatch_encodings.l1_ball import L1_FORMS, L1Form

NETWORKS = {"N": "example:mnist_3x24", "N-bar": "example:mnist_3x24_adversarial"}
NORMS = [Norm.LINF, Norm.L1]
RADII = {Norm.LINF: 0.02, Norm.L1: 1.0}
EASY = (2, 3)
"""A digit and a target of which every group closes in a few seconds."""


def _network(name: str) -> Network:
    return load(resolve(NETWORKS[name], "network"))


def _digit(number: int) -> np.ndarray:
    with np.load(resolve("example:digits", "image")) as arrays:
        return np.asarray(arrays["images"][number].reshape(-1) / 255.0)


def _ball(norm: Norm, radius: float) -> Ball:
    x = _digit(0)
    return Ball(x, np.zeros(x.size), np.ones(x.size), norm, radius)


def _condition() -> OutputCondition:
    return beats(5, 10, Rule.ARGMAX)


def _unstable(bounds: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> int:
    return sum(int(((low < 0) & (high > 0)).sum()) for low, high in zip(bounds, other, strict=True))


@pytest.mark.parametrize("name", NETWORKS)
def test_load(benchmark: BenchmarkFixture, name: str) -> None:
    """Read the ONNX file, up to the form that everything else works on."""
    path = Path(resolve(NETWORKS[name], "network"))

    def read() -> StandardForm:
        return load(path).standard_form

    form = benchmark(read)
    benchmark.extra_info.update(network=name, neurons=sum(h.bias.size for h in form.hidden))
    assert form.outputs == 10


@pytest.mark.parametrize("norm", NORMS, ids=lambda norm: norm.value)
@pytest.mark.parametrize("kind", ["interval", "linear"])
def test_bounds(benchmark: BenchmarkFixture, kind: str, norm: Norm) -> None:
    """Bounds of every neuron of N over one ball."""
    form, ball = _network("N").standard_form, _ball(norm, RADII[norm])
    compute = {"interval": interval_bounds, "linear": linear_bounds}[kind]
    bounds = benchmark(compute, form, ball)
    worst = bound_condition(form, bounds, _condition()).worst
    benchmark.extra_info.update(
        network="N",
        norm=norm.value,
        radius=ball.radius,
        unstable=_unstable(bounds.lower, bounds.upper),
        worst=float(worst),
    )
    outputs = form.evaluate(ball.centre[None])[0]
    assert (bounds.output[0] <= outputs).all()
    assert (outputs <= bounds.output[1]).all()


@pytest.mark.parametrize(
    ("norm", "l1_form"),
    [(Norm.LINF, "split"), *((Norm.L1, l1_form) for l1_form in L1_FORMS)],
    ids=lambda value: getattr(value, "value", value),
)
def test_lower(benchmark: BenchmarkFixture, norm: Norm, l1_form: L1Form) -> None:
    """Write the query of one ball of N, with linear bounds known."""
    form, ball = _network("N").standard_form, _ball(norm, RADII[norm])
    bounds = linear_bounds(form, ball)
    lowered = benchmark(lower, form, bounds, ball, _condition(), l1_form)
    benchmark.extra_info.update(
        network="N", norm=norm.value, l1_form=l1_form, radius=ball.radius, relus=lowered.relus
    )
    assert lowered.relus > 0


@pytest.mark.parametrize("norm", NORMS, ids=lambda norm: norm.value)
def test_attack(benchmark: BenchmarkFixture, norm: Norm) -> None:
    """Carlini-Wagner towards every class at once, on N."""
    network = _network("N")
    objective = Objective.towards(range(1, 10))
    ball = _ball(norm, inf)
    problem = Problem.of_ball(network.standard_form, ball, objective, network.input_dtype)
    result = benchmark.pedantic(CarliniWagner().run, args=(problem,), rounds=3)  # type: ignore[no-untyped-call]  # no types
    benchmark.extra_info.update(
        network="N", norm=norm.value, distances=[float(d) for d in result.distances]
    )
    assert result.success.any()


@pytest.mark.parametrize("norm", NORMS, ids=lambda norm: norm.value)
@pytest.mark.parametrize("name", NETWORKS)
def test_tree(benchmark: BenchmarkFixture, name: str, norm: Norm) -> None:
    """One easy bracket by the default search, from the image to the end; 10 s at most."""
    network, (digit, target) = _network(name), EASY
    options = GroundTruthOptions(timeout=10.0)

    def find() -> GroundTruth:
        return ground_truth(network, _digit(digit), norm=norm, target=target, options=options)

    result = benchmark.pedantic(find, rounds=1)  # type: ignore[no-untyped-call]  # no types
    benchmark.extra_info.update(
        network=name,
        norm=norm.value,
        verdict=status(result),
        evidence=result.evidence.value,
        queries=len(result.queries),
        nodes=sum(target.nodes for target in result.targets),
        lower=result.lower,
        upper=result.upper,
        width=result.upper - result.lower,
    )
    assert 0.0 <= result.lower <= result.upper
