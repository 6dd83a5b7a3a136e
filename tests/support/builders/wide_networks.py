"""Random small networks whose numbers use the whole range of their type, with exact answers.

A question is drawn from a seed: a kind of network (each a way in which rounding, underflow or
overflow can mislead), a type of file, a box, a norm. The last bias is chosen, in rational
arithmetic, so that the decision changes within the box.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

import numpy as np
from rational_onnx import RationalNetwork, exact
from rational_optimum import ExactQuestion
from wide_drawing import Drawing
from wide_kinds import ENDS, KINDS, Rng, power, signs, span

ATTEMPTS = 8
"""Draws for a question that has an answer at a positive distance; then any will do."""


CORNERS = 4
"""Corners of the box tried for one in whose direction the outputs move apart."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where the question is asked: ``x = offset + scale * u`` for u in [0, 1] or [-1, 1]."""

    centre: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    name: str

    @property
    def size(self) -> float:
        """The longest side of the box."""
        return float((self.upper - self.lower).max())


@dataclass(frozen=True, eq=False)
class WideCase:
    """A question to ask of the program, and the exact answer.

    ``label``, ``target``: as given to the program (None: left to it). ``optima``: by target, for
    the label that is right. ``exact``: the same question for the judge.
    """

    seed: int
    kind: str
    content: bytes
    place: Place
    label: int | None
    target: int | None
    each_target: bool
    tolerance: float
    exact: ExactQuestion
    decided: int
    optima: Mapping[int, Fraction | None]

    @property
    def nearest(self) -> Fraction | None:
        """The least of the optima."""
        known = [optimum for optimum in self.optima.values() if optimum is not None]
        return min(known, default=None)


PLACES = ("unit", "unit", "unit", "signed", "corner", "fixed", "small", "large", "far", "ulps")


def draw_place(rng: Rng, inputs: int, d: Drawing) -> tuple[Place, np.ndarray, float]:
    """A box and an image in it, and offset and scale that bring it to about [-1, 1]."""
    name = str(rng.choice(PLACES))
    low, high = span(d.single)
    u = rng.uniform(0.0, 1.0, inputs)
    if rng.random() < 0.2:
        u = rng.integers(0, 5, inputs) / 4.0
    bottom, top = np.zeros(inputs), np.ones(inputs)
    offset, scale = np.zeros(inputs), 1.0
    match name:
        case "signed":
            bottom, u = bottom - 1.0, 2.0 * u - 1.0
        case "corner":
            u = np.where(rng.random(inputs) < 0.7, np.round(u), u)
        case "small":
            scale = float(power(int(rng.uniform(low, 0))))
        case "large":
            scale = float(power(int(rng.uniform(0, high - 2))))
        case "far" | "ulps":  # far from 0 for its size
            bits = 24 if d.single else 53
            away = int(rng.integers(4, bits)) if name == "far" else bits - int(rng.integers(1, 4))
            offset = signs(rng, (inputs,)) * rng.uniform(1.0, 2.0, inputs)
            scale = float(power(-away))
    bottom, top, u = (d.rounded(offset + scale * v).astype(float) for v in (bottom, top, u))
    if name == "fixed" and inputs > 1:
        fixed = rng.random(inputs) < 0.5
        bottom, top = np.where(fixed, u, bottom), np.where(fixed, u, top)
    return Place(np.clip(u, bottom, top), bottom, top, name), offset, scale


@cache
def wide_case(seed: int, kinds: tuple[str, ...] = tuple(KINDS)) -> WideCase:
    """The question number ``seed``, always the same one."""
    case = None
    for attempt in range(ATTEMPTS):
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            case = _draw(seed, np.random.default_rng((seed, attempt)), kinds)
        mistaken = case.label not in (None, case.decided)
        if case.nearest is not None and (case.nearest > 0 or mistaken or case.kind == "integers"):
            break
    assert case is not None
    return case


def _draw(seed: int, rng: Rng, kinds: tuple[str, ...]) -> WideCase:
    kind = str(rng.choice(kinds))
    single, inputs = bool(rng.random() < 0.5), int(rng.integers(1, 4))
    if kind in ("pieces", "branches"):
        inputs = min(inputs, 2)
    norm, classes = str(rng.choice(["linf", "l1"])), int(rng.integers(2, 4))
    d = Drawing(inputs, single=single)
    place, offset, scale = draw_place(rng, inputs, d)
    x = "x"
    if place.name in ("small", "large", "far", "ulps"):  # brought to about [0, 1]
        x = d.affine(x, np.eye(inputs) / scale, -offset / scale)
    hidden = KINDS[kind](d, rng, x)
    least = bool(rng.random() < 0.2)
    if kind in ENDS:
        last = ENDS[kind](d, rng, hidden, classes)
    else:
        last = _decided(d, rng, hidden, place, classes, -1 if least else 1)
    content = d.model(last)
    centre, lower, upper = (tuple(map(exact, v)) for v in (place.centre, place.lower, place.upper))
    question = ExactQuestion(RationalNetwork.read(content), centre, lower, upper, norm, least)
    question = replace(question, margin=_margin(rng, question))
    decided = question.decided(centre)
    label = int(rng.integers(classes)) if rng.random() < 0.1 else decided
    others = [k for k in range(classes) if k != label]
    target = int(rng.choice(others)) if rng.random() < 0.4 else None
    told = label != decided or rng.random() < 0.3
    return WideCase(
        seed=seed,
        kind=kind,
        content=content,
        place=place,
        label=label if told else None,
        target=target,
        each_target=target is None and bool(rng.random() < 0.3),
        tolerance=float(place.size * rng.choice([1e-4, 1e-4, 1e-6])),
        exact=question,
        decided=decided,
        optima=question.optima(others if target is None else [target]),
    )


def _margin(rng: Rng, question: ExactQuestion) -> Fraction:
    """Mostly none; else a number of the size of the image's own lead."""
    if rng.random() < 0.9:
        return Fraction(0)
    scores = sorted(question.scores(question.centre))
    return exact(_float((scores[-1] - scores[-2]) * Fraction(float(rng.choice([0.25, 0.5, 2.0])))))


def _decided(d: Drawing, rng: Rng, hidden: str, place: Place, classes: int, sign: int) -> str:
    """The last layer: its bias makes two classes tie somewhere between the image and the box."""
    width = d.widths[hidden]
    weight = rng.normal(size=(classes, width))
    if rng.random() < 0.5:
        weight[0] = 0.0  # as in the hand-made cases: one class is constant
    if rng.random() < 0.3:
        weight *= power(int(rng.uniform(-1.0, 0.9) * span(d.single)[1]))
    sketch = d.copy()
    network = RationalNetwork.read(sketch.model(sketch.affine(hidden, weight)))
    here = [exact(v) for v in place.centre]
    outputs = flat = network.evaluate(here)
    for _ in range(CORNERS):  # a tie of classes that are both constant from here to there is rare
        if len({a - b for a, b in zip(outputs, flat, strict=True)}) > 1:
            break
        ends = np.where(rng.random(d.inputs) < 0.5, place.lower, place.upper)
        share = Fraction(rng.uniform(0.05, 0.95))
        if rng.random() < 0.1:
            share = Fraction(1, 2 ** int(rng.choice([20, 50, 200])))
        outputs = network.evaluate(
            [a + share * (exact(b) - a) for a, b in zip(here, ends, strict=True)]
        )
    bias = np.array([_float(outputs[0] - v) for v in outputs])
    if classes > 2:
        bias[2:] -= sign * np.abs(bias).max() * rng.choice([0.0, 0.1, 1.0])
    return d.affine(hidden, weight, bias)


def _float(number: Fraction) -> float:
    """Rounded; beyond float64 its largest number."""
    try:
        return float(number)
    except OverflowError:
        return float(np.copysign(np.finfo(np.float64).max, 1 if number > 0 else -1))
