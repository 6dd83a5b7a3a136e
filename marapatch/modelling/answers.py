"""What a problem's questions are answered with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from marapatch.errors import InputError
from marapatch.network.layers import Array
from marapatch.problem.verdict import Evidence, Unknown


@dataclass(frozen=True, eq=False)
class Solution:
    """Sat: values of the declared variables that were replayed.

    ``values``: by name, in the declared shape. Every function and network was computed anew from
    them (networks on their own layers, in float64), and every condition holds within
    ``tolerance``, bounds of variables without one; ``violation``: by how much a condition is missed
    at most (0: none is). ``notes``: what happened on the way that a user should know.
    """

    values: Mapping[str, Array]
    columns: Array = field(repr=False)
    violation: float
    tolerance: float
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Array:
        """The value of the variable declared as ``name``; InputError where there is none."""
        if name not in self.values:
            known = ", ".join(self.values) or "none"
            raise InputError(f"{name!r} is no declared variable; declared are: {known}")
        return self.values[name]


@dataclass(frozen=True)
class NoSolution:
    """Unsat: there are no values. ``certified_by``: who said so; ``evidence`` is ``solver`` but
    where interval propagation alone proved it."""

    certified_by: tuple[str, ...]
    evidence: Evidence = Evidence.SOLVER
    notes: tuple[str, ...] = ()


Answer = Solution | NoSolution | Unknown


@dataclass(frozen=True, eq=False)
class Minimum:
    """``lower <= minimum <= upper``: ``solution`` has the value ``upper`` and was replayed.

    ``lower``: no solution has a smaller value (``certified_by``: who said so; ``inf``: there is no
    solution at all). Interval propagation (evidence ``bound``) proves it of every solution, though
    conditions be missed by the tolerance; what a solver refutes (evidence ``solver``) it refutes of
    values that miss none. So ``upper`` may be less than the least of those, by what missing a
    condition by ``solution.violation`` is worth; not where that is 0.
    ``note``: why it is wider than the tolerance asked for, if it is.
    """

    lower: float
    upper: float
    solution: Solution | None
    certified_by: tuple[str, ...]
    evidence: Evidence
    note: str = ""

    @property
    def gap(self) -> float:
        """``upper - lower``; 0 where there is no solution."""
        return 0.0 if self.lower == inf else self.upper - self.lower

    def closed(self, tolerance: float) -> bool:
        """Whether the gap is at most ``tolerance``."""
        return self.gap <= tolerance


@dataclass(frozen=True)
class Witnesses:
    """Distinct ``solutions``; ``complete``: proved that there are no more, so far apart.

    ``note``: why there are fewer than asked for.
    """

    solutions: tuple[Solution, ...]
    complete: bool
    note: str = ""
