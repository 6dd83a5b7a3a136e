"""Random questions on networks small enough that the optimum is known exactly.

A question is a network, a ball around an input within a box, and the class asked for. The kinds
are meant to hurt: numbers of very different size, boxes that cut the ball, entries that may not
change, neurons that never switch, and sets of solutions thinner than any solver's tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from types import MappingProxyType

import networkx as nx
import numpy as np

from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.graph import Network, dense_network
from marapatch.network.layers import (
    Abs,
    Affine,
    Clip,
    Concat,
    Layer,
    LeakyRelu,
    MaxPool,
    Relu,
    Sum,
)
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition, Rule, beats
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question
from marapatch.problem.replay import Replay

Weights = tuple[list[np.ndarray], list[np.ndarray]]


@dataclass(frozen=True)
class Case:
    """How far from ``ball.centre`` is the nearest input of the box decided as ``target``?

    ``witnessed``: a distance at which there is one (infinite where none is known).
    """

    kind: str
    network: Network
    ball: Ball
    target: int
    condition: OutputCondition
    witnessed: float

    @property
    def question(self) -> Question:
        """The same for a search, over the whole box."""
        ball = self.ball.with_radius(self.ball.covering_radius)
        replay = Replay(self.network, self.ball, self.condition)
        return Question(self.network.standard_form, ball, self.condition, replay)


def plain(rng: np.random.Generator, sizes: tuple[int, ...]) -> Weights:
    """He-initialised weights, small biases."""
    weights = [rng.normal(size=(b, a)) * np.sqrt(2.0 / a) for a, b in pairwise(sizes)]
    return weights, [0.2 * rng.normal(size=w.shape[0]) for w in weights]


def tiny(rng: np.random.Generator, sizes: tuple[int, ...]) -> Weights:
    """Weights of all sizes from 1e-6 to 1, row by row; biases of the size of their row."""
    weights, biases = plain(rng, sizes)
    scales = [10.0 ** rng.uniform(-6.0, 0.0, size=(w.shape[0], 1)) for w in weights[:-1]]
    scales.append(np.full((sizes[-1], 1), 10.0 ** rng.uniform(-6.0, 0.0)))
    return _scaled(weights, biases, scales)


def huge(rng: np.random.Generator, sizes: tuple[int, ...]) -> Weights:
    """Weights of all sizes from 1e-4 to 1e4, row by row."""
    weights, biases = plain(rng, sizes)
    scales = [10.0 ** rng.uniform(-4.0, 4.0, size=(w.shape[0], 1)) for w in weights[:-1]]
    scales.append(np.full((sizes[-1], 1), 10.0 ** rng.uniform(0.0, 4.0)))
    return _scaled(weights, biases, scales)


def thin(rng: np.random.Generator, sizes: tuple[int, ...]) -> Weights:
    """The first class wins only in a slab of width 1e-1 to 1e-6: a bump of three neurons."""
    weights, biases = plain(rng, sizes)
    width = 10.0 ** rng.uniform(-6.0, -1.0)
    weights[-2][:3] = weights[-2][0]
    biases[-2][:3] = biases[-2][0] + np.array([width, 0.0, -width])
    weights[-1][:] = 0.0
    tall = rng.random() < 0.5
    weights[-1][0, :3] = np.array([1.0, -2.0, 1.0]) * (1.0 / width if tall else 1.0)
    biases[-1][:] = 0.5 * (1.0 if tall else width)
    biases[-1][0] = 0.0
    return weights, biases


def corner(rng: np.random.Generator, sizes: tuple[int, ...]) -> Weights:
    """A neuron of the first layer wakes only in a corner of the box, and decides there."""
    weights, biases = plain(rng, sizes)
    w = weights[0][0]
    top = np.maximum(w, 0.0).sum()
    biases[0][0] = -top * (1.0 - 10.0 ** rng.uniform(-5.0, -1.0))
    weights[1][0] *= 0.1
    weights[1][0, 0] = 10.0 ** rng.uniform(0.0, 4.0)
    return weights, biases


KINDS: Mapping[str, Callable[[np.random.Generator, tuple[int, ...]], Weights]] = MappingProxyType(
    {"plain": plain, "tiny": tiny, "huge": huge, "thin": thin, "corner": corner}
)
"""Every kind of weights by its name."""

BOXES = ("inside", "edge", "masked", "wide")
"""Where the centre lies: inside [0, 1], at its edge, with entries that may not change, or in a
box so wide that it does not cut the ball."""


def _scaled(
    weights: list[np.ndarray], biases: list[np.ndarray], scales: list[np.ndarray]
) -> Weights:
    pairs = zip(weights, biases, scales, strict=True)
    parts = [(w * s, b * s[:, 0]) for w, b, s in pairs]
    return [w for w, _ in parts], [b for _, b in parts]


@cache
def small_case(seed: int, kinds: tuple[str, ...] = tuple(KINDS)) -> Case:
    """The question number ``seed``, always the same one."""
    for attempt in range(50):
        case = _draw(np.random.default_rng((seed, attempt)), kinds)
        if case is not None:
            return case
    raise AssertionError(f"no question drawn for seed {seed}")


def _draw(rng: np.random.Generator, kinds: tuple[str, ...]) -> Case | None:
    kind, box = str(rng.choice(kinds)), str(rng.choice(BOXES))
    norm = Norm.LINF if rng.random() < 0.5 else Norm.L1
    inputs, width = int(rng.integers(2, 5)), int(rng.integers(3, 6))
    sizes = (inputs, width, width, int(rng.integers(2, 4)))
    weights, biases = KINDS[kind](rng, sizes)
    centre = rng.uniform(0.0, 1.0, inputs)
    lower, upper = np.zeros(inputs), np.ones(inputs)
    match box:
        case "edge":
            centre = np.clip(np.round(centre) + 10.0 ** rng.uniform(-7, -1) * (0.5 - centre), 0, 1)
        case "masked":
            fixed = rng.random(inputs) < 0.3
            lower, upper = np.where(fixed, centre, lower), np.where(fixed, centre, upper)
        case "wide":
            lower, upper = centre - 4.0, centre + 4.0
    ball = Ball(centre, lower, upper, norm, np.inf)
    samples = rng.uniform(lower, upper, size=(2000, inputs))
    network = dense_network(weights, biases)
    if kind not in ("thin", "corner"):  # bring the classes into balance over the box
        outputs = network.evaluate(samples)
        biases[-1] = biases[-1] - np.median(outputs, axis=0)
        network = dense_network(weights, biases)
    decided = network.evaluate(samples).argmax(axis=1)
    label = int(network.evaluate(centre)[0].argmax())
    rivals = [t for t in range(sizes[-1]) if t != label and (decided == t).any()]
    if not rivals:
        if kind not in ("thin", "corner") or label == 0:
            return None
        rivals = [0]
    target = int(rng.choice(rivals))
    away = np.abs(samples[decided == target] - centre)
    sizes_of = away.max(axis=1) if norm is Norm.LINF else away.sum(axis=1)
    witnessed = float(sizes_of.min(initial=np.inf))
    condition = beats(target, sizes[-1], Rule.ARGMAX)
    return Case(kind, network, ball.with_radius(ball.covering_radius), target, condition, witnessed)


def branching_network(rng: np.random.Generator, inputs: int = 3, outputs: int = 2) -> Network:
    """A residual sum, a maximum over pairs, a leaky branch, an absolute value, a clip."""
    graph = nx.DiGraph()
    graph.add_node("input")

    def add(name: str, layer: Layer, *predecessors: str) -> str:
        graph.add_node(name, layer=layer, inputs=predecessors)
        graph.add_edges_from((p, name) for p in predecessors)
        return name

    def affine(name: str, size_in: int, size_out: int, predecessor: str) -> str:
        weight = rng.normal(size=(size_out, size_in))
        return add(name, Affine(weight, 0.3 * rng.normal(size=size_out)), predecessor)

    first = add("relu", Relu(), affine("a", inputs, 3, "input"))
    residual = add(
        "sum", Sum((1.0, -0.3)), affine("b", 3, 4, first), affine("c", inputs, 4, "input")
    )
    pooled = add("pool", MaxPool(np.array([[0, 1], [2, 3]])), residual)
    leaky = add("leaky", LeakyRelu(0.1), affine("d", inputs, 2, "input"))
    absolute = add("abs", Abs(), affine("e", 2, 2, pooled))
    clipped = add("clip", Clip(-0.5, 0.7), affine("f", 3, 2, first))
    joined = add("join", Concat(), pooled, leaky, absolute, clipped)
    last = affine("g", 8, outputs, joined)
    return Network(graph, "input", last, (inputs,), (outputs,), np.dtype(np.float64))


def cancelling(rng: np.random.Generator, inputs: int, width: int) -> Network:
    """Sums of terms of 1e8 that cancel to 1e-8: the values are all rounding error of float64."""
    half = 1e8 * rng.normal(size=(width, inputs))
    first = np.vstack([half, half + 1e-8 * rng.normal(size=half.shape)])
    bias = 1e8 * (1.0 + rng.random(width))
    pairs = np.hstack([np.eye(width), -np.eye(width)])
    second = np.vstack([pairs, -pairs]) * (1.0 + 2.0**-30)
    last = rng.normal(size=(2, 2 * width)) * 10.0 ** rng.integers(-8, 9, (2, 2 * width))
    weights = [first, second, last]
    return dense_network(weights, [np.append(bias, bias), np.full(2 * width, 1e-8), np.zeros(2)])


def cancelling_balls(norm: Norm) -> Iterator[tuple[StandardForm, Ball, np.random.Generator]]:
    rng = np.random.default_rng(2)
    for _ in range(25):
        inputs = int(rng.integers(1, 7))
        form = cancelling(rng, inputs, int(rng.integers(1, 6))).standard_form
        centre = rng.uniform(0.0, 1.0, inputs)
        radius = 10.0 ** rng.uniform(-9, 0)
        yield form, Ball(centre, np.zeros(inputs), np.ones(inputs), norm, radius), rng


def is_chain(form: StandardForm) -> bool:
    """Whether every map takes only the layer just before it."""
    return all(map_.sources == (k,) for k, map_ in enumerate((*form.hidden, form.output)))
