"""Random small queries with every kind of constraint, for comparing backends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marapatch.query.query import Query
from marapatch_encodings import (
    Abs,
    Constraint,
    Disjunction,
    Max,
    Relu,
    Row,
    Sense,
    Variable,
    VariablePool,
    dense_row,
)

SENSES: tuple[Sense, ...] = ("<=", ">=", "=")


def random_query(seed: int, *, grid: bool) -> Query:
    """A query over one to three boxes, up to five piecewise constraints, up to three rows.

    ``grid``: numbers are multiples of 1/4, so that ties, empty insides and degenerate constraints
    are frequent; else they are normal variates.
    """
    return _Writer(np.random.default_rng(seed), grid).query()


class _Writer:
    def __init__(self, rng: np.random.Generator, grid: bool) -> None:
        self.rng, self.grid = rng, grid
        self.pool = VariablePool()
        self.constraints: list[Constraint] = []
        self.values: list[Variable] = []

    def query(self) -> Query:
        for i in range(self.rng.integers(1, 4)):
            low, high = sorted(self.numbers(2).tolist())
            fixed = self.rng.random() < 0.1
            self.values.append(self.pool.fresh(f"x{i}", low, low if fixed else high))
        for _ in range(self.rng.integers(0, 6)):
            self.piecewise()
        for _ in range(self.rng.integers(1, 4)):
            self.constraints.append(self.row(3, (0.4, 0.4, 0.2)))
        return Query.of(self.pool, self.constraints)

    def numbers(self, count: int) -> NDArray[np.float64]:
        if self.grid:
            return self.rng.integers(-8, 9, size=count) / 4.0
        return self.rng.normal(size=count)

    def row(self, longest: int, odds: tuple[float, float, float]) -> Row:
        size = min(len(self.values), int(self.rng.integers(1, longest + 1)))
        chosen = self.rng.choice(self.values, size, replace=False)
        sense = SENSES[self.rng.choice(3, p=odds)]
        return dense_row(chosen, self.numbers(size), sense, float(self.numbers(1)[0]))

    def bounds(self, size: float) -> tuple[float, float]:
        return (-size, size) if self.rng.random() < 0.5 else (-np.inf, np.inf)

    def combination(self) -> Variable:
        """A fresh variable that equals a linear form of the others."""
        size = min(len(self.values), int(self.rng.integers(1, 4)))
        chosen = self.rng.choice(self.values, size, replace=False)
        z = self.pool.fresh("z", *self.bounds(50.0))
        coefficients = np.append(self.numbers(size), -1.0)
        rhs = float(self.numbers(1)[0])
        self.constraints.append(dense_row([*chosen, z], coefficients, "=", rhs))
        return z

    def piecewise(self) -> None:
        kind = self.rng.integers(4)
        if kind == 3:
            cases = [
                tuple(self.row(2, (0.45, 0.45, 0.1)) for _ in range(self.rng.integers(1, 3)))
                for _ in range(self.rng.integers(1, 4))
            ]
            self.constraints.append(Disjunction(tuple(cases)))
            return
        before = self.rng.random() < 0.5  # half the outputs are numbered before their inputs
        y = self.pool.fresh("y", *self.bounds(100.0)) if before else None
        inputs = [self.combination() for _ in range(self.rng.integers(1, 4) if kind == 2 else 1)]
        output = self.pool.fresh("y", *self.bounds(100.0)) if y is None else y
        match kind:
            case 0:
                self.constraints.append(Relu(inputs[0], output))
            case 1:
                self.constraints.append(Abs(inputs[0], output))
            case _:
                self.constraints.append(Max(tuple(inputs), output))
        self.values.append(output)
