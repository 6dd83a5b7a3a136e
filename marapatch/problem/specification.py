"""Properties of networks in disjunctive normal form, in the exact numbers of their file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import inf

import numpy as np
from numpy.typing import ArrayLike

from marapatch.arithmetic.rationals import nearest
from marapatch.errors import InputError
from marapatch.network.layers import Array
from marapatch.problem.conditions import OutputCondition


@dataclass(frozen=True, eq=False, slots=True)
class LinearRow:
    """``sum inputs[i] x_i + sum outputs[j] y_j >= rhs``, or ``> rhs`` where ``strict``.

    ``inputs``, ``outputs``: coefficients other than 0 by the variable's number.
    """

    inputs: Mapping[int, Fraction]
    outputs: Mapping[int, Fraction]
    rhs: Fraction
    strict: bool

    def surplus(self, x: Sequence[Fraction], y: Sequence[Fraction]) -> Fraction:
        """Left-hand side minus right-hand side, exactly."""
        total = -self.rhs
        for values, coefficients in ((x, self.inputs), (y, self.outputs)):
            for number, coefficient in coefficients.items():
                total += coefficient * values[number]
        return total

    def holds(self, x: Sequence[Fraction], y: Sequence[Fraction]) -> bool:
        """Whether the row is met, exactly."""
        surplus = self.surplus(x, y)
        return surplus > 0 if self.strict else surplus >= 0


Alternative = tuple[LinearRow, ...]
"""Rows that must all hold; without any, every output will do."""


Side = tuple[int, Fraction | None, Fraction | None, bool, bool]
"""An input, its bounds, and whether each is strict."""


@dataclass(frozen=True, slots=True)
class ExactBox:
    """Bounds on inputs as the file states them: None where it states none.

    ``open_below``, ``open_above``: the inputs whose bound is strict, so that it is not attained.
    """

    lower: tuple[Fraction | None, ...]
    upper: tuple[Fraction | None, ...]
    open_below: frozenset[int] = frozenset()
    open_above: frozenset[int] = frozenset()

    @staticmethod
    def whole(inputs: int) -> ExactBox:
        """Without any bound."""
        return ExactBox((None,) * inputs, (None,) * inputs)

    def narrowed(self, rows: Iterable[LinearRow]) -> ExactBox:
        """With more bounds, each a row over one input."""
        lower, upper = list(self.lower), list(self.upper)
        below, above = set(self.open_below), set(self.open_above)
        for row in rows:
            ((i, coefficient),) = row.inputs.items()
            end = row.rhs / coefficient
            # Of two equal bounds the strict one says more.
            ends, opened, sign = (lower, below, 1) if coefficient > 0 else (upper, above, -1)
            known = ends[i]
            if known is None or sign * end > sign * known:
                ends[i] = end
                opened.discard(i)
                known = end
            if row.strict and end == known:
                opened.add(i)
        return ExactBox(tuple(lower), tuple(upper), frozenset(below), frozenset(above))

    @property
    def empty(self) -> bool:
        """Whether no input at all is in it."""
        return self.empty_at(range(len(self.lower)))

    def empty_at(self, inputs: Iterable[int]) -> bool:
        """Whether the bounds on one of ``inputs`` leave it no value."""
        for i in inputs:
            low, high = self.lower[i], self.upper[i]
            if low is None or high is None or low < high:
                continue
            if low > high or i in self.open_below or i in self.open_above:
                return True
        return False

    def sides(self, inputs: Iterable[int]) -> tuple[Side, ...]:
        """The bounds on ``inputs``, by which boxes can be told apart."""
        return tuple(
            (i, self.lower[i], self.upper[i], i in self.open_below, i in self.open_above)
            for i in inputs
        )

    def contains(self, x: Sequence[Fraction]) -> bool:
        """Whether ``x`` is in the box, exactly."""
        return all(
            (low is None or value > low or (value == low and i not in self.open_below))
            and (high is None or value < high or (value == high and i not in self.open_above))
            for i, (value, low, high) in enumerate(zip(x, self.lower, self.upper, strict=True))
        )


@dataclass(frozen=True, eq=False)
class Case:
    """Inputs in ``box`` that meet any of ``alternatives`` (at least one) together with the
    network's outputs. ``outputs``: how many the property declares."""

    box: ExactBox
    alternatives: tuple[Alternative, ...]
    outputs: int

    @cached_property
    def lower(self) -> Array:
        """The lower bounds, each rounded to the nearest float64; -inf where there is none."""
        return _ends(self.box.lower, -inf)

    @cached_property
    def upper(self) -> Array:
        """The upper bounds, each rounded to the nearest float64; inf where there is none."""
        return _ends(self.box.upper, inf)

    @property
    def conditions(self) -> tuple[OutputCondition, ...]:
        """The alternatives as conditions on the outputs, each number rounded once to the nearest
        float64, strictness left out; InputError where an alternative is about inputs too."""
        return tuple(self._condition(rows) for rows in self.alternatives)

    def _condition(self, rows: Alternative) -> OutputCondition:
        if any(row.inputs for row in rows):
            raise InputError("a condition compares several inputs, or inputs with outputs")
        matrix, rhs = np.zeros((len(rows), self.outputs)), np.zeros(len(rows))
        for i, row in enumerate(rows):
            rhs[i] = nearest(row.rhs)
            for j, coefficient in row.outputs.items():
                matrix[i, j] = nearest(coefficient)
        return OutputCondition(matrix, rhs)


@dataclass(frozen=True, eq=False)
class Property:
    """A property in disjunctive normal form: it holds at (x, y) where any case does.

    By the convention of VNN-COMP it states what is *unsafe*: an input x with the network's output
    y for which it holds is a counterexample. ``inputs``, ``outputs``: the numbers of declared
    ``X_i`` and ``Y_j``. ``empty``: how many cases were left out because their box is empty;
    where that was every one, ``cases`` is empty and the property holds nowhere.
    """

    path: str
    inputs: int
    outputs: int
    cases: tuple[Case, ...]
    empty: int = 0

    @property
    def boxes(self) -> tuple[tuple[Array, Array], ...]:
        """The distinct input boxes (lower, upper), in the order of the file."""
        return tuple((case.lower, case.upper) for case in self.cases)

    def holds(self, x: ArrayLike, y: ArrayLike) -> bool:
        """Whether the property holds at input ``x`` (inputs,) and output ``y`` (outputs,)."""
        point, output = exact(x), exact(y)
        return any(
            case.box.contains(point)
            and any(all(row.holds(point, output) for row in rows) for rows in case.alternatives)
            for case in self.cases
        )


def exact(vector: ArrayLike) -> tuple[Fraction, ...]:
    """The entries of a finite vector as rational numbers, which every float is."""
    return tuple(Fraction(value) for value in np.asarray(vector, np.float64).reshape(-1).tolist())


def _ends(bounds: Sequence[Fraction | None], missing: float) -> Array:
    values = [missing if bound is None else nearest(bound) for bound in bounds]
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array
