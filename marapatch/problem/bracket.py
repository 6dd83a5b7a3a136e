"""The answer: ``[lower, upper]``, lower proved and upper witnessed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import assert_never

from marapatch.errors import ContradictionError
from marapatch.problem.verdict import Evidence, Replayed, Sat, Unknown, Unsat, Verdict


@dataclass(frozen=True)
class Bracket:
    """Nothing adversarial is nearer than ``lower``; the witness is at ``upper``.

    Distances are in the units of the network's input. ``upper`` is infinite until there is a
    witness; ``lower`` may be infinite where it is proved that no input in the box changes the
    decision. Raises :class:`ContradictionError` where ``lower > upper``.
    """

    lower: float = 0.0
    evidence: Evidence = Evidence.BOUND
    witness: Replayed | None = None

    def __post_init__(self) -> None:
        if not self.lower <= self.upper:  # also where either is NaN
            if self.evidence is Evidence.FILE:
                raise ContradictionError(
                    f"the file handed on says that nothing is nearer than {self.lower!r}, and a "
                    f"replayed witness is at {self.upper!r}: the file is wrong"
                )
            raise ContradictionError(
                f"a proof ({self.evidence.value}) says that nothing is nearer than {self.lower!r}, "
                f"and a replayed witness is at {self.upper!r}: please report this with the network"
            )

    @property
    def upper(self) -> float:
        """The distance of the witness, or infinity."""
        return inf if self.witness is None else self.witness.distance

    @property
    def gap(self) -> float:
        """``upper - lower``, 0 where both are infinite."""
        # Infinity less infinity is NaN: a bracket that says "none in the box" would never be
        # closed.
        return 0.0 if self.lower == self.upper else self.upper - self.lower

    def closed(self, tolerance: float) -> bool:
        """Whether the gap is at most ``tolerance``."""
        return self.gap <= tolerance

    def tighten(self, verdict: Verdict) -> Bracket:
        """The bracket with ``verdict`` taken into account; ``Unknown`` changes nothing."""
        match verdict:
            case Unsat(radius=radius, evidence=evidence):
                # A lower end never falls. At an equal radius the earlier evidence stays: a solver's
                # word must not take the place of a bound. NaN moves nothing.
                if not radius > self.lower:
                    return self
                return replace(self, lower=radius, evidence=evidence)
            case Sat(witness=witness):
                return self if witness.distance >= self.upper else replace(self, witness=witness)
            case Unknown():
                return self
            case _:
                assert_never(verdict)
