"""What VNN-LIB's assertions are made of: linear atoms in exact arithmetic."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from marapatch.formats.vnnlib.sexpressions import LineError, Symbol, shown
from marapatch.problem.specification import LinearRow

MAX_NUMBER = Fraction(np.finfo(np.float64).max)

MAX_DIGITS = 1000
"""Digits of a number, and the size of its exponent: those of float64 have 767 and 324 at most."""

MAX_BITS = 20_000
"""Bits of a numerator or denominator: products of numbers in the file may grow so far."""

Variable = tuple[str, int]
"""``("X", i)`` or ``("Y", j)``."""

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE]([+-]?[0-9]+))?")


@dataclass(frozen=True, slots=True)
class Atom:
    """``sum of coefficients * variables + constant >= 0``, or ``> 0`` where ``strict``."""

    coefficients: dict[Variable, Fraction]
    constant: Fraction
    line: int
    strict: bool = False

    @staticmethod
    def total(atoms: Sequence[Atom], line: int) -> Atom:
        """The sum of ``atoms``; what cancels is left out."""
        sums: dict[Variable, Fraction] = {}
        constant = Fraction(0)
        for atom in atoms:
            constant += atom.constant
            for variable, coefficient in atom.coefficients.items():
                sums[variable] = sums.get(variable, Fraction(0)) + coefficient
        return Atom({variable: c for variable, c in sums.items() if c}, constant, line)

    @property
    def negated(self) -> Atom:
        """``-self``."""
        return Atom({v: -c for v, c in self.coefficients.items()}, -self.constant, self.line)

    def times(self, factor: Fraction) -> Atom:
        """``factor * self``; LineError where a number gets more than ``MAX_BITS`` bits."""
        scaled = {variable: factor * c for variable, c in self.coefficients.items() if factor}
        constant = factor * self.constant
        for number in (constant, *scaled.values()):
            if max(number.numerator.bit_length(), number.denominator.bit_length()) > MAX_BITS:
                raise LineError(self.line, f"a product has more than {MAX_BITS} binary digits")
        return Atom(scaled, constant, self.line)

    @property
    def row(self) -> LinearRow:
        """The same as a row over inputs and outputs."""
        parts: dict[str, dict[int, Fraction]] = {"X": {}, "Y": {}}
        for (kind, number), coefficient in self.coefficients.items():
            parts[kind][number] = coefficient
        return LinearRow(parts["X"], parts["Y"], -self.constant, self.strict)


Conjunction = tuple[Atom, ...]


def number_of(symbol: Symbol) -> Fraction:
    """The exact value of a decimal number.

    Raises LineError where it is none, has too many digits, or is beyond float64's range.
    """
    match = _NUMBER.fullmatch(symbol.text) if len(symbol.text) <= 2 * MAX_DIGITS else None
    if match is None:
        what = shown(symbol.text)
        if symbol.text[:1] in "+-.0123456789" and len(symbol.text) > 2 * MAX_DIGITS:
            raise LineError(
                symbol.line,
                f"{what} has {len(symbol.text)} characters; at most {MAX_DIGITS} digits are read",
            )
        raise LineError(symbol.line, f"{what} is neither a number nor X_i or Y_j")
    exponent = match.group(3) or "0"
    if len(match.group(1)) > MAX_DIGITS or len(exponent) > 6 or abs(int(exponent)) > MAX_DIGITS:
        raise LineError(
            symbol.line,
            f"{shown(symbol.text)} has too many digits or too large an exponent: at most "
            f"{MAX_DIGITS} are read",
        )
    value = Fraction(symbol.text)
    large = match.group(3) is not None or len(symbol.text) > 300
    if large and abs(value) > MAX_NUMBER:
        raise LineError(symbol.line, f"{shown(symbol.text)} is too large for float64")
    return value


def checked(atom: Atom, line: int, *, strict: bool) -> Atom:
    """``atom`` where it compares something and its numbers are in float64's range."""
    if not atom.coefficients:
        raise LineError(line, "a comparison without variables")
    if max(abs(atom.constant), *map(abs, atom.coefficients.values())) > MAX_NUMBER:
        raise LineError(line, "a number is too large for float64")
    return Atom(atom.coefficients, atom.constant, line, strict)
