"""What VNN-LIB's assertions are made of: linear atoms in exact arithmetic, boxes, output rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf

import numpy as np

from marapatch.properties import OutputCondition
from marapatch.sexpressions import LineError

MAX_NUMBER = Fraction(np.finfo(np.float64).max)

Variable = tuple[str, int]
"""``("X", i)`` or ``("Y", j)``."""


@dataclass(frozen=True, slots=True)
class Atom:
    """``sum of coefficients * variables + constant >= 0``."""

    coefficients: dict[Variable, Fraction]
    constant: Fraction
    line: int

    def minus(self, other: Atom) -> Atom:
        """``self - other``."""
        return self.plus(other.times(Fraction(-1)))

    def plus(self, other: Atom) -> Atom:
        """``self + other``; what cancels is left out."""
        total = dict(self.coefficients)
        for variable, coefficient in other.coefficients.items():
            total[variable] = total.get(variable, Fraction(0)) + coefficient
        kept = {variable: c for variable, c in total.items() if c}
        return Atom(kept, self.constant + other.constant, self.line)

    def times(self, factor: Fraction) -> Atom:
        """``factor * self``."""
        scaled = {variable: factor * c for variable, c in self.coefficients.items() if factor}
        return Atom(scaled, factor * self.constant, self.line)


Conjunction = tuple[Atom, ...]


def kind_of(atom: Atom) -> str:
    """``X`` or ``Y``, of an atom that :func:`checked` let pass."""
    return next(iter(atom.coefficients))[0]


def checked(atom: Atom, line: int) -> Atom:
    """``atom`` where it is a bound on one input or a row over outputs, in float64's range."""
    kinds = {kind for kind, _ in atom.coefficients}
    if not kinds:
        raise LineError(line, "a comparison without variables")
    if len(kinds) > 1:
        raise LineError(line, "a comparison of inputs with outputs is not supported")
    if kinds == {"X"} and [abs(c) for c in atom.coefficients.values()] != [1]:
        raise LineError(line, "only boxes of inputs are supported: compare one X_i with a number")
    if max(abs(atom.constant), *map(abs, atom.coefficients.values())) > MAX_NUMBER:
        raise LineError(line, "a number is too large for float64")
    return Atom(atom.coefficients, atom.constant, line)


class Box:
    """The bounds on the inputs collected so far; refuses an empty one."""

    def __init__(self, inputs: int) -> None:
        self.lower = np.full(inputs, -inf)
        self.upper = np.full(inputs, inf)

    def copy(self) -> Box:
        """One that can be narrowed by itself."""
        other = Box(0)
        other.lower, other.upper = self.lower.copy(), self.upper.copy()
        return other

    @property
    def key(self) -> bytes:
        """The same for equal boxes."""
        return self.lower.tobytes() + self.upper.tobytes()

    def narrow(self, atoms: Iterable[Atom]) -> None:
        """Take in bounds on single inputs; LineError where the box is empty then."""
        for atom in atoms:
            ((_, number), coefficient) = next(iter(atom.coefficients.items()))
            bound = float(-atom.constant * coefficient) + 0.0  # the sum turns -0.0 into 0.0
            if coefficient > 0:
                self.lower[number] = max(self.lower[number], bound)
            else:
                self.upper[number] = min(self.upper[number], bound)
            if self.lower[number] > self.upper[number]:
                raise LineError(
                    atom.line,
                    f"the box is empty: X_{number} must be >= {self.lower[number]:g} "
                    f"and <= {self.upper[number]:g}",
                )


def output_condition(rows: Sequence[Atom], outputs: int) -> OutputCondition:
    """Rows over outputs, each number rounded once to the nearest float64."""
    matrix, rhs = np.zeros((len(rows), outputs)), np.zeros(len(rows))
    for i, atom in enumerate(rows):
        for (_, number), coefficient in atom.coefficients.items():
            matrix[i, number] = float(coefficient)
        rhs[i] = float(-atom.constant) + 0.0
    return OutputCondition(matrix, rhs)
