"""Random small problems over every kind of constraint, with clear answers or none."""

from __future__ import annotations

import numpy as np

from marapatch.modelling import (
    Expression,
    Problem,
    absolute,
    any_of,
    at_most_k_nonzero,
    clip,
    leaky_relu,
    maximum,
    norm1,
    norm_inf,
    relu,
)
from marapatch.network.graph import dense_network

KINDS = (
    "affine",
    "relu",
    "leaky",
    "clip",
    "absolute",
    "absolute native",
    "maximum",
    "maximum native",
    "norm1",
    "norm_inf",
    "any_of",
    "nonzero",
    "network",
)


def random_problem(seed: int) -> tuple[Problem, tuple[str, ...]]:
    """The problem number ``seed``, always the same, and the kinds of constraints in it."""
    rng = np.random.default_rng(seed)
    problem = Problem()
    size = int(rng.integers(2, 4))
    scale = 10.0 ** rng.uniform(-3, 3) if rng.random() < 0.3 else 1.0
    x = problem.array("x", size, -scale, scale)
    kinds = tuple(str(k) for k in rng.choice(KINDS, size=int(rng.integers(1, 4)), replace=False))
    for kind in kinds:
        add(problem, x, kind, rng, scale)
    return problem, kinds


def add(  # noqa: PLR0912  # one branch a kind
    problem: Problem, x: Expression, kind: str, rng: np.random.Generator, scale: float
) -> None:
    """Require something of this kind; about half of the problems stay feasible."""

    def affine(rows: int) -> Expression:
        return rng.normal(size=(rows, x.size)) @ x + scale * 0.3 * rng.normal(size=rows)

    def threshold() -> float:
        return float(scale * rng.uniform(-0.5, 1.2))

    match kind:
        case "affine":
            if rng.random() < 0.5:
                problem.require(affine(2).sum() == threshold())
            problem.require(affine(2) >= threshold() - scale)
        case "relu":
            problem.require(rng.normal(size=3) @ relu(affine(3)) >= threshold())
        case "leaky":
            values = leaky_relu(affine(2), float(rng.choice([0.01, 0.25, -0.5])))
            problem.require(rng.normal(size=2) @ values >= threshold())
        case "clip":
            values = clip(affine(2), -0.4 * scale, 0.3 * scale)
            problem.require(rng.normal(size=2) @ values >= threshold())
        case "absolute" | "absolute native":
            values = absolute(affine(2), native=kind.endswith("native"))
            problem.require(rng.normal(size=2) @ values >= threshold())
        case "maximum" | "maximum native":
            values = maximum(affine(2), affine(2), 0.1 * scale, native=kind.endswith("native"))
            problem.require(rng.normal(size=2) @ values >= threshold())
        case "norm1":
            size = norm1(x - scale * rng.uniform(-1, 1, x.size))
            problem.require(size <= scale * 0.5 if rng.random() < 0.5 else size >= scale * 1.5)
        case "norm_inf":
            size = norm_inf(affine(2))
            problem.require(size <= scale * 0.5 if rng.random() < 0.5 else size >= scale)
        case "any_of":
            cases = [affine(2) >= threshold(), affine(1) <= -threshold(), affine(2) == threshold()]
            problem.require(any_of(*cases[: int(rng.integers(2, 4))]))
        case "nonzero":
            problem.require(at_most_k_nonzero(x, 1), affine(1) >= threshold())
        case "network":
            weights = [rng.normal(size=(4, x.size)), rng.normal(size=(2, 4))]
            y = dense_network(weights, [0.3 * rng.normal(size=4), 0.3 * rng.normal(size=2)])(
                x / scale
            )
            problem.require(y[0] - y[1] >= threshold() / scale)
        case _:
            raise AssertionError(kind)
