"""Every encoding with what it is meant to say: the table behind the tests of the encodings.

``intended`` and ``gap`` are written from the definition of the quantity, not from the encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from marapatch_encodings import (
    Encoding,
    Variable,
    VariablePool,
    absolute,
    absolute_native,
    any_of,
    beats,
    cardinality,
    clip,
    each_beats,
    l1_ball,
    l1_ball_abs,
    l1_ball_relu,
    l1_ball_split,
    l1_radius,
    leaky,
    linear,
    linear_condition,
    linf_ball,
    linf_radius,
    maximum,
    maximum_native,
    one_beats,
    relu,
    untargeted,
)

Values = Sequence[float]
Build = Callable[[VariablePool, Sequence[Variable]], Encoding]


@dataclass(frozen=True)
class ValueCase:
    """An encoding that defines ``value = intended(inputs)``; ``symbols``: those of its cost."""

    name: str
    encoding: Callable[..., Encoding]
    inputs: int
    build: Build
    intended: Callable[[Values], float]
    symbols: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RadiusCase:
    """An encoding whose value may be any number from ``norm(inputs)`` up.

    ``symbols`` is None where the docstring gives the cost of another form.
    """

    name: str
    encoding: Callable[..., Encoding]
    inputs: int
    build: Build
    norm: Callable[[Values], float]
    symbols: Mapping[str, int] | None = None


@dataclass(frozen=True)
class ConditionCase:
    """An encoding that holds where ``gap(inputs) <= 0``.

    ``extend`` gives the values of the fresh variables, in order, for inputs where it holds.
    """

    name: str
    encoding: Callable[..., Encoding]
    inputs: int
    build: Build
    gap: Callable[[Values], float]
    extend: Callable[[Values], Values] = lambda _: ()
    symbols: Mapping[str, int] = field(default_factory=dict)


def norm_1(values: Values) -> float:
    return float(np.abs(values).sum())


def norm_inf(values: Values) -> float:
    return float(np.abs(values).max(initial=0.0))


def positive_parts(values: Values) -> list[float]:
    return [max(x, 0.0) for x in values]


def split_parts(values: Values) -> list[float]:
    return [part for x in values for part in (max(x, 0.0), max(-x, 0.0))]


def lead(values: Values, targets: set[int], worst: Callable[[Values], float], sign: float) -> float:
    """How far ``worst`` (min or max) of the targets' outputs lies ahead of the best rival's."""
    signed = [sign * y for y in values]
    rivals = [y for i, y in enumerate(signed) if i not in targets]
    return worst([signed[i] for i in targets]) - max(rivals)


VALUE_CASES = (
    ValueCase(
        "linear",
        linear,
        2,
        lambda pool, xs: linear(pool, {xs[0]: 2.0, xs[1]: -0.5}, 0.25),
        lambda x: 2.0 * x[0] - 0.5 * x[1] + 0.25,
    ),
    ValueCase("relu", relu, 1, lambda pool, xs: relu(pool, xs[0]), lambda x: max(x[0], 0.0)),
    *(
        ValueCase(
            f"leaky {slope}",
            leaky,
            1,
            lambda pool, xs, slope=slope: leaky(pool, xs[0], slope),
            lambda x, slope=slope: x[0] if x[0] >= 0.0 else slope * x[0],
        )
        for slope in (0.125, 0.75, -0.5, 2.0)
    ),
    *(
        ValueCase(
            f"clip to [{low}, {high}]",
            clip,
            1,
            lambda pool, xs, low=low, high=high: clip(pool, xs[0], low, high),
            lambda x, low=low, high=high: min(max(x[0], low), high),
        )
        for low, high in ((0.0, 6.0), (-1.0, 1.5), (2.0, 2.0))
    ),
    ValueCase("absolute", absolute, 1, lambda pool, xs: absolute(pool, xs[0]), lambda x: abs(x[0])),
    ValueCase(
        "absolute native",
        absolute_native,
        1,
        lambda pool, xs: absolute_native(pool, xs[0]),
        lambda x: abs(x[0]),
    ),
    *(
        ValueCase(f"{encoding.__name__} of {n}", encoding, n, encoding, max, {"n": n})
        for encoding in (maximum, maximum_native)
        for n in (1, 2, 3, 4)
    ),
)

RADIUS_CASES = (
    RadiusCase("linf radius", linf_radius, 3, linf_radius, norm_inf, {"n": 3}),
    *(
        RadiusCase(
            f"l1 radius, {form}",
            l1_radius,
            2,
            lambda pool, ds, form=form: l1_radius(pool, ds, form),
            norm_1,
            {"n": 2} if form == "split" else None,
        )
        for form in ("relu", "abs", "split")
    ),
)

_L1_BALLS = {
    "relu": (l1_ball_relu, positive_parts),
    "abs": (l1_ball_abs, lambda d: list(np.abs(d))),
    "split": (l1_ball_split, split_parts),
}

_MATRIX = [[1.0, -2.0, 0.5], [0.0, 0.0, -1.0]]
_RHS = [0.25, -3.0]

CONDITION_CASES = (
    ConditionCase(
        "linf ball",
        linf_ball,
        3,
        lambda pool, ds: linf_ball(pool, ds, 3.0),
        lambda d: norm_inf(d) - 3.0,
        symbols={"n": 3},
    ),
    *(
        ConditionCase(
            f"l1 ball, {form}",
            encoding,
            3,
            lambda pool, ds, form=form: l1_ball(pool, ds, 5.5, form),
            lambda d: norm_1(d) - 5.5,
            extend,
            {"n": 3},
        )
        for form, (encoding, extend) in _L1_BALLS.items()
    ),
    *(
        ConditionCase(
            f"at most {limit} of 3 non-zero",
            cardinality,
            3,
            lambda pool, ds, limit=limit: cardinality(pool, ds, limit),
            lambda d, limit=limit: np.count_nonzero(d) - limit,
            lambda d: [float(x != 0.0) for x in d],
            {"n": 3},
        )
        for limit in (0, 1, 2, 3)
    ),
    *(
        case
        for rule, sign in (("argmax", 1.0), ("argmin", -1.0))
        for case in (
            ConditionCase(
                f"beats, {rule}",
                beats,
                4,
                lambda _, ys, rule=rule: beats(ys, 2, rule, 0.5),
                lambda y, sign=sign: 0.5 - lead(y, {2}, min, sign),
                symbols={"n": 4},
            ),
            ConditionCase(
                f"each beats, {rule}",
                each_beats,
                4,
                lambda _, ys, rule=rule: each_beats(ys, (0, 3), rule, 0.0, 1.0),
                lambda y, sign=sign: -1.0 - lead(y, {0, 3}, min, sign),
                symbols={"n": 4, "t": 2},
            ),
            ConditionCase(
                f"one beats, {rule}",
                one_beats,
                4,
                lambda _, ys, rule=rule: one_beats(ys, {3, 1}, rule, 0.25, 0.125),
                lambda y, sign=sign: 0.125 - lead(y, {1, 3}, max, sign),
            ),
            ConditionCase(
                f"untargeted, {rule}",
                untargeted,
                3,
                lambda _, ys, rule=rule: untargeted(ys, 1, rule, 0.5, 0.25),
                lambda y, sign=sign: 0.25 - lead(y, {0, 2}, max, sign),
            ),
        )
    ),
    ConditionCase(
        "linear condition",
        linear_condition,
        3,
        lambda _, ys: linear_condition(ys, _MATRIX, _RHS),
        lambda y: float(np.max(_RHS - np.asarray(_MATRIX) @ y)),
        symbols={"m": 2},
    ),
    ConditionCase(
        "any of two conditions",
        any_of,
        3,
        lambda _, ys: any_of([beats(ys, 0), linear_condition(ys, _MATRIX, _RHS)]),
        lambda y: min(-lead(y, {0}, min, 1.0), float(np.max(_RHS - np.asarray(_MATRIX) @ y))),
    ),
)
