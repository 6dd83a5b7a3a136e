"""Kinds of small networks, each a way in which rounding, underflow or overflow can mislead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from wide_drawing import Drawing

Rng = np.random.Generator


def span(single: bool) -> tuple[int, int]:
    """Exponents of two of the type's least and greatest numbers."""
    return (-149, 127) if single else (-1074, 1023)


def signs(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return rng.choice([-1.0, 1.0], shape)


def normal(rng: Rng, outputs: int, inputs: int) -> np.ndarray:
    return rng.normal(size=(outputs, inputs)) * np.sqrt(2.0 / inputs)


def power(exponent: float | np.ndarray) -> np.ndarray:
    """2 to integers of any size: beyond float64 it is 0 or its largest number."""
    bounded = np.clip(np.asarray(exponent), -1100, 1023).astype(np.int64)
    return np.ldexp(1.0, bounded)


def moderate(d: Drawing, rng: Rng, x: str) -> str:
    """Nothing special: what the others are measured against."""
    for _ in range(int(rng.integers(1, 3))):
        x = d.entrywise("Relu", d.affine(x, *_layer(d, rng, x)))
    return x


def _layer(d: Drawing, rng: Rng, x: str, width: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    width = int(rng.integers(1, 4)) if width is None else width
    return normal(rng, width, d.widths[x]), 0.5 * rng.normal(size=width)


def scaled(d: Drawing, rng: Rng, x: str) -> str:
    """A moderate network whose neurons are rescaled, each by its own power of two.

    The products along any path stay moderate; single weights need not.
    """
    low, high = span(d.single)
    before = np.zeros(d.inputs)
    step = rng.uniform(0.1, 1.0) * high
    centre = 0.0
    for _ in range(int(rng.integers(1, 4))):
        weight, bias = _layer(d, rng, x, int(rng.integers(1, 3)))
        centre = float(np.clip(centre + rng.uniform(-step, step), low, high))
        after = np.round(centre + rng.uniform(-0.2, 0.2, weight.shape[0]) * rng.random() * step)
        weight = weight * power(after[:, None] - before[None, :])
        x = d.entrywise("Relu", d.affine(x, weight, bias * power(after)))
        before = after
    back = power(-before + rng.choice([0.0, rng.uniform(-0.5, 0.5) * high]))
    return d.node("Mul", [x, d.constant(back)], d.widths[x])


def chain(d: Drawing, rng: Rng, x: str) -> str:
    """One neuron after the other, up and down by huge factors; some without a ReLU between.

    The value's scale walks between waypoints that float64 can hold; the products of weights that a
    backward pass makes on the way need not be.
    """
    low, high = span(d.single)
    weight, bias = normal(rng, 1, d.inputs), [0.1 * rng.normal()]
    waypoints = rng.uniform(-1060, 1000, int(rng.integers(1, 3))).tolist()
    waypoints.append(rng.uniform(low, 0) if rng.random() < 0.7 else 0.0)
    step = rng.uniform(0.2, 0.9) * high
    kinked = rng.choice([0.0, 0.7, 1.0])
    here = max(waypoints[0], low) if rng.random() < 0.3 and waypoints[0] < 0.0 else 0.0
    x = d.affine(x, weight * power(round(here)), np.array(bias) * power(round(here)))
    for waypoint in waypoints:
        parts = max(1, int(np.ceil(abs(waypoint - here) / step)))
        ends = np.round(np.linspace(here, waypoint, parts + 1)).astype(np.int64)
        here = waypoint
        for exponent, end in zip(np.diff(ends), ends[1:], strict=True):
            factor = np.ldexp(rng.uniform(1.0, 1.5), int(exponent))
            bias = [0.0] if rng.random() < 0.9 else [0.3 * rng.normal() * power(end)]
            x = d.affine(x, [[factor]], bias)
            if rng.random() < kinked:
                x = d.entrywise(str(rng.choice(["Relu", "Relu", "Relu", "Abs"])), x)
    return x


def fused(d: Drawing, rng: Rng, x: str) -> str:
    """Affine layers in a row, whose product is moderate and whose factors are not."""
    high = span(d.single)[1]
    x = d.entrywise("Relu", d.affine(x, *_layer(d, rng, x)))
    far = int(rng.uniform(0.1, 1.0) * high)
    exponents = [far, -far] if rng.random() < 0.5 else [-far, far]
    exponents = exponents * int(rng.integers(1, 3))
    if rng.random() < 0.4:  # all downs first: the fused weight underflows
        exponents = sorted(exponents, reverse=bool(rng.random() < 0.3))
    for exponent in exponents:
        weight, bias = _layer(d, rng, x, int(rng.integers(1, 4)))
        x = d.affine(x, weight * power(exponent), bias * power(min(exponent, 0)))
    return d.entrywise("Relu", x) if rng.random() < 0.5 else x


def cancelling(d: Drawing, rng: Rng, x: str) -> str:
    """Two neurons share a huge term, and only their difference counts."""
    big = power(int(rng.choice([50, 53, 54, 60, 70, 90, 120])))
    common = signs(rng, (1, d.inputs)) if rng.random() < 0.5 else normal(rng, 1, d.inputs)
    common = d.rounded(common * big).astype(np.float64)
    own = normal(rng, 2, d.inputs)
    bias = rng.choice([0.0, 1.0, float(big)]) * abs(rng.normal(size=2))
    pair = d.affine(x, common, [rng.choice([0.0, 1.0]) * float(big) * d.inputs])
    beside = d.affine(x, own, bias if rng.random() < 0.3 else 0.3 * rng.normal(size=2))
    if rng.random() < 0.5:  # (huge + small) - huge
        huge = d.concat(pair, pair)
        total = d.joined("Add", huge, beside)
        if rng.random() < 0.6:
            total = d.entrywise("Relu", total)
            huge = d.entrywise("Relu", huge)
        x = d.joined("Sub", total, huge)
    else:  # one weight matrix, as in a trained network
        weight = np.vstack([common, common])
        weight[0] += np.where(common[0] == 0.0, own[0], 0.0)
        weight = np.hstack([weight, [[1.0], [0.0]]])
        both = d.concat(x, d.affine(x, own[:1], beside_bias(rng)))
        hidden = d.entrywise("Relu", d.affine(both, weight, np.zeros(2)))
        x = d.affine(hidden, [[1.0, -1.0]], [0.0])
    return d.entrywise("Relu", x) if rng.random() < 0.5 else x


def beside_bias(rng: Rng) -> list[float]:
    return [0.3 * float(rng.normal())]


def absorbing(d: Drawing, rng: Rng, x: str) -> str:
    """A huge bias is added and taken off again: in floating point nothing is left between."""
    high = span(d.single)[1]
    x = d.affine(x, *_layer(d, rng, x, 2))
    if rng.random() < 0.5:
        x = d.entrywise("Relu", x)
    huge = rng.choice([1.0, -1.0]) * power(int(rng.uniform(20, high)))
    first = d.with_constant("Add", x, [huge] * 2)
    if huge > 0.0 and rng.random() < 0.5:
        first = d.entrywise("Relu", first)
    return d.with_constant("Sub", first, [huge] * 2)


def integers(d: Drawing, rng: Rng, x: str) -> str:
    """Small whole numbers: ties, and kinks exactly at the image."""
    for _ in range(int(rng.integers(1, 3))):
        width = int(rng.integers(1, 4))
        weight = rng.integers(-2, 3, (width, d.widths[x])).astype(float)
        x = d.affine(x, weight, rng.integers(-2, 3, width).astype(float) / 2)
        x = d.entrywise(str(rng.choice(["Relu", "Relu", "Abs"])), x)
    return x


def pieces(d: Drawing, rng: Rng, x: str) -> str:
    """Branches, maxima, leaky slopes, clips and pools, at one scale that may be extreme."""
    low, high = span(d.single)
    exponent = int(rng.choice([0.0, rng.uniform(low, high), rng.uniform(-60, 60)]))
    weight, bias = normal(rng, 4, d.inputs), 0.5 * rng.normal(size=4)
    first = d.affine(x, weight * power(exponent), bias * power(exponent))
    slopes = [0.0, 0.1, 1.0, 1.5, -0.5, 1e-40, 1e-45, 1e30]
    parts = []
    for kind in rng.choice(["leaky", "abs", "clip", "max", "min", "pool", "residual"], 2):
        source = d.affine(x, weight * power(exponent), bias * power(exponent))
        match kind:
            case "leaky":
                parts.append(d.entrywise("LeakyRelu", source, alpha=float(rng.choice(slopes))))
            case "abs":
                parts.append(d.entrywise("Abs", source))
            case "clip":
                ends = np.sort(rng.normal(size=2)) * power(exponent)
                ends = np.where(rng.random(2) < 0.2, [-np.inf, np.inf], ends)
                parts.append(d.clip(source, *d.rounded(ends).tolist()))
            case "max" | "min":
                other = d.affine(x, normal(rng, 4, d.inputs) * power(exponent))
                parts.append(d.joined(str(kind).capitalize(), source, other))
            case "pool":
                parts.append(d.max_pool(source, 2, int(rng.integers(1, 3))))
            case "residual":
                inner = d.entrywise("Relu", d.affine(source, normal(rng, 4, 4)))
                parts.append(d.joined("Sum", inner, source))
    joined = d.concat(*parts, first) if rng.random() < 0.5 else d.concat(*parts)
    width = int(rng.integers(1, 3))
    mixed = d.affine(joined, normal(rng, width, d.widths[joined]) * power(-exponent))
    return d.entrywise("Relu", mixed)


def everywhere(d: Drawing, rng: Rng, x: str) -> str:
    """Weights and biases of any size the type can hold, each drawn for itself."""
    low, high = span(d.single)
    reach = rng.choice([0.1, 0.3, 0.6, 1.0])
    for _ in range(int(rng.integers(1, 3))):
        width = int(rng.integers(1, 4))
        shape = (width, d.widths[x])
        weight = signs(rng, shape) * _anything(rng, shape, low, high, reach)
        bias = signs(rng, (width,)) * _anything(rng, (width,), low, high, reach)
        x = d.entrywise("Relu", d.affine(x, weight, bias * (rng.random(width) < 0.6)))
    return x


def _anything(rng: Rng, shape: tuple[int, ...], low: int, high: int, reach: float) -> np.ndarray:
    exponents = np.round(rng.uniform(reach * low, reach * high, shape)).astype(np.int64)
    return np.ldexp(rng.uniform(1.0, 2.0, shape), np.minimum(exponents, high - 1))


def denormal(d: Drawing, rng: Rng, x: str) -> str:
    """Weights of a few times the least positive number, then huge ones to bring them back."""
    low, high = span(d.single)
    width = int(rng.integers(1, 3))
    quanta = rng.integers(-40, 41, (width, d.inputs)) * power(low)
    bias = rng.integers(-40, 41, width) * power(low)
    x = d.entrywise("Relu", d.affine(x, quanta, bias))
    rest = -low - int(rng.choice([0, 0, 5, 60]))
    step = rng.choice([46.0, 300.0, 1000.0])
    while rest > 0:
        exponent = int(min(rest, step, high - 1))
        weight = np.abs(normal(rng, 1, d.widths[x])) * power(exponent)
        x = d.affine(x, weight)
        if rng.random() < 0.7:
            x = d.entrywise("Relu", x)
        rest -= exponent
    return x


def operators(d: Drawing, rng: Rng, x: str) -> str:
    """Factors that stand in attributes and in operators of their own."""
    low, high = span(d.single)
    x = d.entrywise("Relu", d.affine_in_steps(x, *_layer(d, rng, x, 2)))
    known = ["mul", "div", "batch", "minus", "clamp"] + ["alpha"] * d.single
    for kind in rng.choice(known, 2):
        exponent = int(rng.choice([3.0, rng.uniform(low, high), rng.uniform(-60, 60)]))
        match kind:
            case "alpha":
                factor = float(np.float32(np.ldexp(1.25, int(np.clip(exponent, -149, 126)))))
                given = [x, d.constant(normal(rng, 2, 2)), d.constant(rng.normal(size=2))]
                x = d.node("Gemm", given, 2, alpha=factor, beta=float(np.float32(0.1)), transB=1)
                x = d.with_constant("Mul", x, power(-exponent))
            case "mul":
                x = d.with_constant("Mul", x, power(exponent) * rng.uniform(1, 2, 2))
                x = d.with_constant("Mul", x, power(-exponent))
            case "div":
                x = d.with_constant("Div", x, power(np.clip(exponent, low, high)))
                x = d.with_constant("Mul", x, power(exponent))
            case "batch":
                half = int(np.clip(exponent, low, high)) // 2
                mean = rng.normal(size=2) * power(rng.choice([0, exponent]))
                scale, variance = rng.normal(size=2) * power(half), power(2 * half)
                shift = d.rounded(mean).astype(float) * d.rounded(scale) / power(half)
                given = [x, *(d.constant(c) for c in (scale, shift, mean, [variance] * 2))]
                x = d.node("BatchNormalization", given, 2, epsilon=0.0)
            case "minus":
                x = d.entrywise("Neg", d.with_constant("Sub", x, rng.normal(size=2)))
            case "clamp":
                x = d.with_constant(str(rng.choice(["Max", "Min"])), x, rng.normal())
    return d.entrywise("Relu", x) if rng.random() < 0.5 else x


def branches(d: Drawing, rng: Rng, x: str) -> str:
    """Branches at scales of their own, brought back to one before they meet."""
    low, high = span(d.single)
    width = int(rng.integers(1, 3))
    parts = []
    for _ in range(int(rng.integers(2, 4))):
        exponent = int(rng.uniform(low, high) * rng.choice([0.1, 0.5, 0.95]))
        weight, bias = _layer(d, rng, x, width)
        branch = d.affine(x, weight * power(exponent), bias * power(exponent))
        if rng.random() < 0.7:
            branch = d.entrywise(str(rng.choice(["Relu", "Relu", "Abs"])), branch)
        parts.append(d.with_constant("Mul", branch, [power(-exponent)]))
    if rng.random() < 0.5:
        return d.concat(*parts)
    joined = d.joined(str(rng.choice(["Sum", "Max", "Min"])), *parts)
    return d.entrywise("Relu", joined) if rng.random() < 0.5 else joined


def thin(d: Drawing, rng: Rng, x: str) -> str:
    """A bump of three neurons as narrow as 2^-50 of the box, in the one class that is not flat.

    Its last layer is drawn with it: the other class is as high as the top of the bump, which then
    only ties there, or half as high.
    """
    width = power(-int(rng.choice([4, 12, 20, 30, 50])))
    scale = power(int(rng.choice([0.0, rng.uniform(*span(d.single)) / 3])))
    row = d.rounded(normal(rng, 1, d.inputs) if rng.random() < 0.7 else np.eye(1, d.inputs))
    start = rng.integers(-8, 9) / 8.0
    weight = np.repeat(row.astype(float), 3, axis=0) * scale
    ends = d.affine(x, weight, (start - np.array([0.0, width, 2.0 * width])) * scale)
    return d.affine(d.entrywise("Relu", ends), np.array([[1.0, -2.0, 1.0]]) / scale / width)


def thin_end(d: Drawing, rng: Rng, hidden: str, classes: int) -> str:
    """The last layer of :func:`thin`: class 1 (or 0) is the bump, the rest are flat."""
    weight, bias = np.zeros((classes, 1)), np.full(classes, rng.choice([0.5, 1.0, 1.0]))
    bump = int(rng.integers(2))
    weight[bump], bias[bump] = 1.0, 0.0
    return d.affine(hidden, weight, bias)


def integers_end(d: Drawing, rng: Rng, hidden: str, classes: int) -> str:
    """The last layer of :func:`integers`, which may have two equal classes."""
    weight = rng.integers(-1, 2, (classes, d.widths[hidden])).astype(float)
    if classes > 2 and rng.random() < 0.3:
        weight[-1] = weight[-2]
    return d.affine(hidden, weight, rng.integers(-1, 2, classes) / 2.0)


ENDS: Mapping[str, Callable[[Drawing, Rng, str, int], str]] = MappingProxyType(
    {"integers": integers_end, "thin": thin_end}
)
"""Kinds that have a last layer of their own."""


KINDS: Mapping[str, Callable[[Drawing, Rng, str], str]] = MappingProxyType(
    {
        "moderate": moderate,
        "scaled": scaled,
        "chain": chain,
        "fused": fused,
        "cancelling": cancelling,
        "absorbing": absorbing,
        "integers": integers,
        "pieces": pieces,
        "everywhere": everywhere,
        "denormal": denormal,
        "operators": operators,
        "branches": branches,
        "thin": thin,
    }
)
"""Every kind of network by its name."""
