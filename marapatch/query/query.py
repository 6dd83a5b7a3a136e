"""The frozen question put to a backend: bounded variables and constraints over them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError
from marapatch_encodings.terms import Abs, Constraint, Disjunction, Max, Relu, Row, VariablePool

Assignment = NDArray[np.float64]
"""One value a variable, by variable number."""


@dataclass(frozen=True, eq=False)
class Query:
    """Is there an assignment within ``lower`` and ``upper`` that meets every constraint?

    ``names``: one a variable. ``lower``, ``upper``: float64 arrays of shape (variables,), which
    may be infinite but never NaN. Two queries are equal when their canonical texts are.

    Raises :class:`InputError` where bounds contradict each other (Marabou would answer ``sat``)
    or a constraint names a variable the query does not have.
    """

    names: tuple[str, ...]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    constraints: tuple[Constraint, ...]

    def __post_init__(self) -> None:
        for name in ("lower", "upper"):
            # A copy that nobody can write to: text, digest and hash are made once and kept.
            array = np.array(getattr(self, name), dtype=np.float64)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        size = len(self.names)
        if self.lower.shape != (size,) or self.upper.shape != (size,):
            raise InputError(f"query: {size} names but bounds of shape {self.lower.shape}")
        # Not ``lower > upper``: every comparison with a NaN is false, so that one would pass.
        bad = ~(self.lower <= self.upper)
        if bad.any():
            i = int(np.argmax(bad))
            raise InputError(
                f"query: variable {self.names[i]!r} has contradictory bounds "
                f"[{self.lower[i]}, {self.upper[i]}]"
            )
        for constraint in self.constraints:
            for variable in variables_of(constraint):
                # numpy counts a negative number from the end: it would be another variable.
                if not 0 <= variable < size:
                    raise InputError(f"query: constraint on unknown variable {variable}")

    @staticmethod
    def of(pool: VariablePool, constraints: Iterable[Constraint]) -> Query:
        """Freeze the variables of ``pool`` with ``constraints`` over them."""
        return Query(pool.names, pool.lower, pool.upper, tuple(constraints))

    @property
    def rows(self) -> tuple[Row, ...]:
        """The linear rows, in order."""
        return tuple(c for c in self.constraints if isinstance(c, Row))

    @property
    def piecewise(self) -> tuple[Relu | Abs | Max | Disjunction, ...]:
        """The constraints that are not linear, in order."""
        return tuple(c for c in self.constraints if not isinstance(c, Row))

    @cached_property
    def text(self) -> str:
        """The canonical text: equal queries give equal texts, every number exact (hexadecimal)."""
        return "\n".join(self._lines()) + "\n"

    @cached_property
    def digest(self) -> str:
        """The sha256 of the canonical text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Query) and self.text == other.text

    def __hash__(self) -> int:
        # Of the text, by which queries are compared: equal ones must have equal hashes.
        return hash(self.digest)

    def _lines(self) -> Iterator[str]:
        for i, name in enumerate(self.names):
            yield f"var {i} {name} {exact(self.lower[i])} {exact(self.upper[i])}"
        for constraint in self.constraints:
            yield describe(constraint)


def variables_of(constraint: Constraint) -> Iterator[int]:
    """Every variable number that ``constraint`` mentions."""
    match constraint:
        case Row():
            yield from constraint.variables.tolist()
        case Relu() | Abs():
            yield from (constraint.input, constraint.output)
        case Max():
            yield from (*constraint.inputs, constraint.output)
        case Disjunction():
            for case in constraint.cases:
                for row in case:
                    yield from row.variables.tolist()
        case _:
            assert_never(constraint)


def exact(number: float) -> str:
    """A float64 in hexadecimal, which loses nothing; both zeros give the same text."""
    # -0.0 + 0.0 is 0.0, and no other number changes.
    return (float(number) + 0.0).hex()


def describe(constraint: Constraint) -> str:
    """The canonical line of one constraint."""
    match constraint:
        case Row():
            terms = zip(
                constraint.variables.tolist(), constraint.coefficients.tolist(), strict=True
            )
            body = " ".join(f"{c.hex()}*{v}" for v, c in terms)
            return f"row {body} {constraint.sense} {exact(constraint.rhs)}"
        case Relu():
            return f"relu {constraint.input} {constraint.output}"
        case Abs():
            return f"abs {constraint.input} {constraint.output}"
        case Max():
            return f"max {' '.join(map(str, constraint.inputs))} -> {constraint.output}"
        case Disjunction():
            cases = (" & ".join(describe(row) for row in case) for case in constraint.cases)
            return f"or {' | '.join(cases)}"
        case _:
            assert_never(constraint)
