"""Standard forms evaluated in fractions, and points of balls to evaluate them at."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
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
