"""Networks evaluated in fractions, layer by layer, and points of balls to evaluate them at."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.graph import Network
from marapatch.network.layers import Abs, Affine, Clip, Concat, LeakyRelu, MaxPool, Relu, Sum
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm

Vector = list[Fraction]


def evaluate(form: StandardForm, x: Sequence[Fraction]) -> tuple[list[Vector], Vector]:
    """All pre-activations and the outputs of ``form`` as stored, without rounding."""
    activations: list[Vector] = [list(x)]
    hidden = []
    for layer in form.hidden:
        z = _apply(layer, activations)
        hidden.append(z)
        activations.append([max(v, Fraction(0)) for v in z])
    return hidden, _apply(form.output, activations)


def evaluate_network(network: Network, x: Sequence[Fraction]) -> Vector:
    """The outputs of ``network`` without rounding, layer by layer as it is defined."""
    values = {network.input_node: list(x)}
    for node in network.order:
        if node != network.input_node:
            taken = [values[p] for p in network.predecessors(node)]
            values[node] = _layer_of(network.layer(node), taken)
    return values[network.output_node]


def _layer_of(layer: object, taken: list[Vector]) -> Vector:
    x, zero = taken[0], Fraction(0)
    match layer:
        case Affine(weight=weight, bias=bias):
            rows = zip(dense(weight).tolist(), fractions(bias), strict=True)
            return [b + sum(Fraction(w) * v for w, v in zip(r, x, strict=True)) for r, b in rows]
        case Relu():
            return [max(v, zero) for v in x]
        case LeakyRelu(slope=slope):
            return [v if v >= 0 else Fraction(slope) * v for v in x]
        case Abs():
            return [abs(v) for v in x]
        case Clip(low=low, high=high):
            return [min(max(v, Fraction(low)), Fraction(high)) for v in x]
        case MaxPool(groups=groups):
            return [max(x[i] for i in group) for group in groups.tolist()]
        case Sum(coefficients=coefficients):
            terms = [[Fraction(c) * v for v in t] for c, t in zip(coefficients, taken, strict=True)]
            return [sum(column, zero) for column in zip(*terms, strict=True)]
        case Concat():
            return [v for t in taken for v in t]
        case _:
            raise AssertionError(f"no exact form of {layer}")


def points(ball: Ball, rng: np.random.Generator, count: int) -> list[Vector]:
    """Points of ``ball`` without rounding: its centre, corners, faces and inside."""
    n = ball.centre.size
    centre, radius = fractions(ball.centre), Fraction(ball.radius)
    found = [centre]
    for i in range(count):
        if ball.norm is Norm.LINF:
            direction = rng.choice([-1.0, 1.0], n) if i % 2 else rng.uniform(-1.0, 1.0, n)
            shares = fractions(direction)
        else:
            weights = np.zeros(n) if i % 2 else rng.exponential(size=n)
            weights[rng.integers(n)] += 1.0
            signed = fractions(weights * rng.choice([-1.0, 1.0], n))
            total = sum(abs(s) for s in signed)
            shares = [s / total for s in signed]
        moved = [c + radius * s for c, s in zip(centre, shares, strict=True)]
        low, high = fractions(ball.lower), fractions(ball.upper)
        found.append([min(max(v, a), b) for v, a, b in zip(moved, low, high, strict=True)])
    return found


def fractions(values: np.ndarray) -> Vector:
    """A float64 vector as it is."""
    return [Fraction(v) for v in values.tolist()]


def _apply(layer: AffineMap, activations: Sequence[Vector]) -> Vector:
    total = fractions(layer.bias)
    for source, weight in zip(layer.sources, layer.weights, strict=True):
        for i, row in enumerate(dense(weight)):
            for w, a in zip(row.tolist(), activations[source], strict=True):
                if w != 0.0:
                    total[i] += Fraction(w) * a
    return total


def dense(weight: object) -> np.ndarray:
    return weight if isinstance(weight, np.ndarray) else weight.toarray()  # type: ignore[attr-defined]
