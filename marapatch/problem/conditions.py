"""What a network decides, and the conditions on its outputs that change a decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError, check_size
from marapatch.network.layers import Array, freeze


class Rule(Enum):
    """How outputs become a decision: classifiers take the largest, ACAS Xu the smallest."""

    ARGMAX = "argmax"
    ARGMIN = "argmin"

    @staticmethod
    def of(name: str | Rule) -> Rule:
        """The rule of that name. Raises InputError where there is none."""
        try:
            return Rule(name)
        except ValueError:
            known = ", ".join(rule.value for rule in Rule)
            raise InputError(f"decision {name!r} is not one of {known}") from None

    @property
    def sign(self) -> float:
        """+1 where larger outputs win, -1 where smaller ones do."""
        return 1.0 if self is Rule.ARGMAX else -1.0

    def decide(self, outputs: Array) -> int:
        """The class decided for one output vector (ties: the lowest class number)."""
        return int(np.argmax(self.sign * outputs))


@dataclass(frozen=True, eq=False)
class OutputCondition:
    """``matrix @ outputs >= rhs``, every row of it; ``matrix``: (rows, outputs), ``rhs``: (rows,).

    What is refuted is always this closed condition. ``strict``: (rows,), the rows that a witness
    must exceed; the others it may meet with equality (None: none is strict).
    """

    matrix: Array
    rhs: Array
    strict: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", freeze(self.matrix, "output condition"))
        object.__setattr__(self, "rhs", freeze(self.rhs, "output condition"))
        if self.matrix.ndim != 2 or self.rhs.shape != self.matrix.shape[:1]:
            raise InputError(
                f"output condition: matrix of shape {self.matrix.shape} and right-hand side of "
                f"shape {self.rhs.shape}; give (rows, outputs) and (rows,)"
            )
        if self.strict is not None and self.strict.shape != self.rhs.shape:
            raise InputError(f"output condition: {self.strict.shape} strict rows; give (rows,)")

    def exact_slack(self, outputs: Sequence[Fraction]) -> list[Fraction]:
        """``matrix @ outputs - rhs`` without any rounding, a number a row."""
        slack = []
        for row, rhs in zip(self.matrix.tolist(), self.rhs.tolist(), strict=True):
            terms = (Fraction(c) * y for c, y in zip(row, outputs, strict=True) if c)
            slack.append(sum(terms, Fraction(0)) - Fraction(rhs))
        return slack

    def met_exactly(self, outputs: Sequence[Fraction]) -> bool:
        """Whether a witness with exactly these outputs meets the condition."""
        strict = np.zeros(self.rhs.size, bool) if self.strict is None else self.strict
        return all(
            slack > 0 or (slack == 0 and not needed)
            for slack, needed in zip(self.exact_slack(outputs), strict.tolist(), strict=True)
        )

    def slack(self, outputs: Array) -> Array:
        """``matrix @ outputs - rhs`` of outputs (batch, outputs): (batch, rows), met if >= 0."""
        return np.asarray(outputs @ self.matrix.T - self.rhs)

    def worst(self, outputs: Array) -> Array:
        """The least slack, (batch,): the condition is met where it is >= 0."""
        return np.asarray(self.slack(outputs).min(axis=-1))


def beats(target: int, classes: int, rule: Rule, margin: float = 0.0) -> OutputCondition:
    """``target`` leads every other class by at least ``margin`` (a closed condition).

    A witness with a margin of 0 may tie with later classes only: of equal ones the first is
    decided.

    Raises InputError where there is no such class or the margin is negative or not finite.
    """
    if not 0 <= target < classes:
        raise InputError(f"target {target} is not one of the {classes} classes 0..{classes - 1}")
    check_size("margin", margin)
    rivals = [j for j in range(classes) if j != target]
    matrix = np.zeros((len(rivals), classes))
    matrix[:, target] = rule.sign
    matrix[np.arange(len(rivals)), rivals] = -rule.sign
    strict = np.array([margin == 0.0 and j < target for j in rivals], dtype=bool)
    return OutputCondition(matrix, np.full(len(rivals), margin), strict)
