"""A query in the form ``worker.build`` reads, rewritten to what Marabou answers rightly.

Reproduced with maraboupy 2.0.0 and avoided here:

- It renumbers variables while preprocessing and, where an input has a higher number than its
  output, swaps the two ends of a ReLU or absolute value: a wrong ``unsat`` with room to spare. So
  inputs are numbered before outputs.
- Its absolute value answers a wrong ``unsat`` with room to spare. So ``|x| = 2 relu(x) - x``.
- Its maximum is forgotten where its output is fixed (``sat`` with a wrong assignment) and kills
  the process where inputs are marked. So ``max(a, b) = a + relu(b - a)``.
- A row of small coefficients makes its simplex go astray: a wrong ``unsat``. So rows are doubled
  until a coefficient is 1/2 or more, which is exact.
- An equality inside a disjunction that rounding cannot quite meet: a wrong ``unsat``. So it is
  loosened to two inequalities.
- Without marked inputs it sees no layers and propagates no symbolic bounds. So they are marked.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from math import ldexp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marapatch.query.query import Query
from marapatch.query.reduction import doublings
from marapatch_encodings.terms import Abs, Disjunction, Max, Relu, Row, Sense, dense_row

Numbers = NDArray[np.int64]
"""Marabou's number of each variable of the query."""

SIDES: tuple[Sense, ...] = ("<=", ">=")

LEEWAY = 1e-9
"""By how much, relative to its size, an equality inside a disjunction is loosened: an
over-approximation, so ``unsat`` stays right."""

Wire = tuple[str, Numbers, NDArray[np.float64], float]
"""A row as it is sent: sense, variables, coefficients, right-hand side."""


def request_of(
    query: Query, options: Mapping[str, str | float], *, layers: bool = True
) -> tuple[dict[str, Any], Numbers]:
    """The request for ``query`` and Marabou's numbers of its variables.

    ``layers``: whether inputs are marked, so that Marabou sees a network.

    Exact but for :data:`LEEWAY`. Cost beyond the query: 1 variable, 1 ReLU and 1 row an absolute
    value; 2 variables, 1 ReLU and 2 rows a second input of a maximum, 1 variable more each input
    after that; 1 variable and 2 rows a ReLU that closes a cycle.
    """
    return _Writer(query).request(options, layers)


class _Writer:
    def __init__(self, query: Query) -> None:
        self.lower, self.upper = query.lower.tolist(), query.upper.tolist()
        self.rows: list[Row] = []
        self.relus: list[tuple[int, int]] = []
        self.disjunctions: list[Disjunction] = []
        self.before: list[tuple[int, int]] = []
        self.variables = len(query.names)
        for constraint in query.constraints:
            match constraint:
                case Row():
                    self.rows.append(constraint)
                case Relu():
                    self.relus.append((constraint.input, constraint.output))
                case Abs():
                    self.absolute(constraint)
                case Max():
                    self.maximum(constraint)
                case Disjunction():
                    self.disjunctions.append(constraint)

    def fresh(self, lower: float = -np.inf, upper: float = np.inf) -> int:
        self.lower.append(lower)
        self.upper.append(upper)
        return len(self.lower) - 1

    def define(self, output: int, terms: dict[int, float]) -> None:
        """``output = sum terms``, output numbered after them."""
        variables, coefficients = [*terms, output], [*terms.values(), -1.0]
        self.rows.append(dense_row(variables, coefficients, "=", 0.0))
        self.before += [(x, output) for x in terms]

    def absolute(self, constraint: Abs) -> None:
        part = self.fresh(0.0)
        self.relus.append((constraint.input, part))
        self.define(constraint.output, {part: 2.0, constraint.input: -1.0})

    def maximum(self, constraint: Max) -> None:
        best, *others = map(int, constraint.inputs)
        for i, x in enumerate(others):
            lead, part = self.fresh(), self.fresh(0.0)
            self.define(lead, {x: 1.0, best: -1.0})
            self.relus.append((lead, part))
            last = i == len(others) - 1
            larger = constraint.output if last else self.fresh()
            self.define(larger, {best: 1.0, part: 1.0})
            best = larger

    def request(
        self, options: Mapping[str, str | float], layers: bool
    ) -> tuple[dict[str, Any], Numbers]:
        place = numbering(len(self.lower), [*self.relus, *self.before])
        place = self.break_cycles(place)
        lower, upper = np.empty(place.size), np.empty(place.size)
        lower[place], upper[place] = self.lower, self.upper

        def wire(source: Row) -> Wire:
            exponent = doublings(source)
            coefficients = np.ldexp(source.coefficients, exponent)
            rhs = ldexp(source.rhs, exponent)
            return source.sense, place[source.variables], coefficients, rhs

        request = {
            "options": dict(options),
            "lower": lower,
            "upper": upper,
            "inputs": self.inputs(place) if layers else [],
            "rows": [wire(r) for r in self.rows],
            "relu": [(int(place[x]), int(place[y])) for x, y in self.relus],
            "or": [
                [[wire(side) for r in case for side in loosened(r)] for case in d.cases]
                for d in self.disjunctions
            ],
        }
        return request, place[: self.variables]

    def break_cycles(self, place: Numbers) -> Numbers:
        """Give a constraint whose output comes before its input a copy of it that comes last.

        The rows that tie the copy are inequalities: Marabou would merge the two over an equality.
        """
        for i, (x, y) in enumerate(self.relus):
            if place[x] < place[y]:
                continue
            copy = self.fresh(self.lower[y], self.upper[y])
            place = np.append(place, place.size)
            for sense in SIDES:
                self.rows.append(dense_row([y, copy], [1.0, -1.0], sense, 0.0))
            self.relus[i] = (x, copy)
        return place

    def inputs(self, place: Numbers) -> list[int]:
        """Marabou's numbers of the variables in use that no constraint defines.

        An equality of two variables or more defines its last one where that is the input of a
        ReLU, or the variable that :meth:`define` was called for.
        """
        sources = {x for x, _ in self.relus} | {y for _, y in self.before}
        defined = {y for _, y in self.relus}
        used = {x for x, _ in self.relus}
        for r in self.rows:
            used.update(r.variables.tolist())
            if r.sense == "=" and r.variables.size > 1:  # a layer without inputs kills Marabou
                last = int(r.variables[np.argmax(place[r.variables])])
                if last in sources:
                    defined.add(last)
        return sorted(int(place[v]) for v in used - defined)


def loosened(source: Row) -> tuple[Row, ...]:
    """``source``, or for an equality two inequalities :data:`LEEWAY` apart from it each."""
    if source.sense != "=":
        return (source,)
    leeway = LEEWAY * max(2.0 ** -doublings(source), abs(source.rhs))
    return tuple(
        Row(source.variables, source.coefficients, sense, source.rhs + sign * leeway)
        for sense, sign in zip(SIDES, (1.0, -1.0), strict=True)
    )


def numbering(size: int, before: list[tuple[int, int]]) -> Numbers:
    """New numbers of ``size`` variables, such that x comes before y for every pair (x, y).

    Otherwise as they were. A cycle is broken at the variable with the smallest number.
    """
    followers: dict[int, list[int]] = {}
    waiting = np.zeros(size, dtype=np.int64)
    for x, y in before:
        followers.setdefault(x, []).append(y)
        waiting[y] += 1
    ready = np.flatnonzero(waiting == 0).tolist()
    left = np.flatnonzero(waiting > 0).tolist()
    place = np.full(size, -1, dtype=np.int64)
    for number in range(size):
        if not ready:
            left = [v for v in left if place[v] < 0]
            ready = [left[0]]
        variable = heapq.heappop(ready)
        place[variable] = number
        for y in followers.get(variable, ()):
            waiting[y] -= 1
            if waiting[y] == 0 and place[y] < 0:
                heapq.heappush(ready, y)
    return place
