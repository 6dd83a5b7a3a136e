"""The terms in which every question is posed: variables, linear rows, piecewise-linear constraints.

A variable is a number handed out by a :class:`VariablePool`; constraints refer to variables by
number, so that they are cheap to build, compare and send to another process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite, isnan
from typing import Literal, NewType

import numpy as np
from numpy.typing import ArrayLike, NDArray

Variable = NewType("Variable", int)
Sense = Literal["<=", ">=", "="]


class VariablePool:
    """Hands out fresh variables and remembers their names and bounds.

    The only mutable object of the kernel: an encoding receives the pool it may draw from.
    """

    def __init__(self) -> None:
        self._names: list[str] = []
        self._lower: list[float] = []
        self._upper: list[float] = []

    def fresh(self, name: str, lower: float = -inf, upper: float = inf) -> Variable:
        """Return a new variable with ``lower <= variable <= upper``.

        Raises ValueError where the bounds are NaN or contradict each other.
        """
        if isnan(lower) or isnan(upper) or lower > upper:
            raise ValueError(f"variable {name!r}: bounds [{lower}, {upper}] are empty or NaN")
        self._names.append(name)
        self._lower.append(float(lower))
        self._upper.append(float(upper))
        return Variable(len(self._names) - 1)

    def fresh_many(self, name: str, lower: ArrayLike, upper: ArrayLike) -> tuple[Variable, ...]:
        """Return one variable an entry of the arrays ``lower`` and ``upper``, named ``name[i]``."""
        pairs = np.broadcast_arrays(np.asarray(lower, float), np.asarray(upper, float))
        return tuple(
            self.fresh(f"{name}[{i}]", float(low), float(high))
            for i, (low, high) in enumerate(zip(pairs[0].ravel(), pairs[1].ravel(), strict=True))
        )

    def __len__(self) -> int:
        return len(self._names)

    def name(self, variable: Variable) -> str:
        """The name under which ``variable`` was handed out."""
        return self._names[variable]

    def bounds(self, variable: Variable) -> tuple[float, float]:
        """The pair (lower, upper) of ``variable``."""
        return self._lower[variable], self._upper[variable]

    @property
    def names(self) -> tuple[str, ...]:
        """All names, by variable number."""
        return tuple(self._names)

    @property
    def lower(self) -> NDArray[np.float64]:
        """All lower bounds, by variable number."""
        return np.array(self._lower)

    @property
    def upper(self) -> NDArray[np.float64]:
        """All upper bounds, by variable number."""
        return np.array(self._upper)


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A linear row ``sum_i coefficients[i] * variables[i]  (<=, >=, =)  rhs``.

    ``variables`` (int64) and ``coefficients`` (float64) are read-only arrays of equal length,
    sorted by variable, each variable at most once and no coefficient zero. Build rows with
    :func:`row`, which sees to that.
    """

    variables: NDArray[np.int64]
    coefficients: NDArray[np.float64]
    sense: Sense
    rhs: float

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Row)
            and self.sense == other.sense
            and self.rhs == other.rhs
            and np.array_equal(self.variables, other.variables)
            and np.array_equal(self.coefficients, other.coefficients)
        )

    def __hash__(self) -> int:
        content = (self.variables.tobytes(), self.coefficients.tobytes(), self.sense, self.rhs)
        return hash(content)


def row(
    terms: Mapping[Variable, float] | Iterable[tuple[Variable, float]], sense: Sense, rhs: float
) -> Row:
    """Build a :class:`Row`; repeated variables are summed and zero coefficients dropped.

    Raises ValueError where a coefficient or the right-hand side is not finite.
    """
    pairs = list(terms.items() if isinstance(terms, Mapping) else terms)
    return dense_row([v for v, _ in pairs], [c for _, c in pairs], sense, rhs)


def dense_row(variables: ArrayLike, coefficients: ArrayLike, sense: Sense, rhs: float) -> Row:
    """Like :func:`row`, from two arrays of equal length."""
    columns: NDArray[np.int64] = np.array(variables, dtype=np.int64).reshape(-1)
    values: NDArray[np.float64] = np.array(coefficients, dtype=np.float64).reshape(-1)
    if columns.shape != values.shape:
        raise ValueError(f"{columns.size} variables but {values.size} coefficients")
    if not np.isfinite(values).all() or not isfinite(rhs):
        raise ValueError("a row needs finite coefficients and a finite right-hand side")
    unique, position = np.unique(columns, return_inverse=True)
    if unique.size != columns.size or not np.array_equal(unique, columns):
        values = np.bincount(position, weights=values, minlength=unique.size).astype(np.float64)
        columns = unique
        if not np.isfinite(values).all():
            raise ValueError("a row needs finite coefficients: those of one variable overflow")
    keep = values != 0.0
    columns, values = columns[keep], values[keep]
    columns.flags.writeable = False
    values.flags.writeable = False
    return Row(columns, values, sense, float(rhs))


@dataclass(frozen=True, slots=True)
class Relu:
    """``output = max(input, 0)``."""

    input: Variable
    output: Variable


@dataclass(frozen=True, slots=True)
class Abs:
    """``output = |input|``."""

    input: Variable
    output: Variable


@dataclass(frozen=True, slots=True)
class Max:
    """``output = max(inputs)``; ``inputs`` is not empty."""

    inputs: tuple[Variable, ...]
    output: Variable


@dataclass(frozen=True, slots=True)
class Disjunction:
    """At least one of the ``cases`` holds; a case is a conjunction of rows."""

    cases: tuple[tuple[Row, ...], ...]


Constraint = Row | Relu | Abs | Max | Disjunction


@dataclass(frozen=True, slots=True)
class Encoding:
    """The value an encoding defines (None for a mere condition) and the constraints that do so."""

    value: Variable | None
    constraints: tuple[Constraint, ...]

    @property
    def variable(self) -> Variable:
        """The value, for an encoding that defines one.

        Raises ValueError for a mere condition.
        """
        if self.value is None:
            raise ValueError("this encoding is a condition and defines no value")
        return self.value
