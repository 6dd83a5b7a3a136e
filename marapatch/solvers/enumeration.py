"""Exhaustive search over phase patterns with an LP at each: the second opinion of the tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, prod
from typing import Any, assert_never

import highspy
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from marapatch.query.query import Query
from marapatch.query.reduction import check_objective, check_timeout, reduce
from marapatch.solvers.base import Answer, Candidate, ExactBackend, Infeasible, Optimum, Undecided
from marapatch.solvers.highs.backend import REFUSED, explain, open_solver, run, set_option
from marapatch.solvers.highs.milp import Program, scaled
from marapatch_encodings.terms import Abs, Disjunction, Max, Relu, Row, Variable, row

Array = NDArray[np.float64]
Phase = tuple[Row, ...]

_Status = highspy.HighsModelStatus


@dataclass(frozen=True)
class EnumerationBackend(ExactBackend):
    """Decides tiny queries: depth first over phases, pruning each infeasible prefix by an LP.

    Shares nothing with the MILP but the scaling of rows: no big-M, no derived bounds, no binary.
    Exact up to the LP tolerance of 1e-9. A query with more than ``leaves`` phase patterns is
    Undecided at once.
    """

    leaves: int = 2**14

    @property
    def name(self) -> str:
        """``enumeration``."""
        return "enumeration"

    def solve(self, query: Query, timeout: float) -> Answer:
        """Infeasible where the LP of every phase pattern is; the first feasible point else."""
        optimum = self._search(query, np.zeros(len(query.names)), timeout, first=True)
        if optimum.infeasible:
            return Infeasible()
        if optimum.assignment is not None:
            return Candidate(optimum.assignment)
        return Undecided(optimum.reason)

    def minimise(self, query: Query, objective: ArrayLike, timeout: float) -> Optimum:
        """The minimum of ``objective @ x`` (one coefficient a variable) over all patterns."""
        costs = check_objective(objective, len(query.names))
        return self._search(query, costs, timeout, first=False)

    def _search(self, query: Query, costs: Array, timeout: float, *, first: bool) -> Optimum:
        check_timeout(timeout)
        deadline = time.monotonic() + timeout
        reduced = reduce(query)
        if reduced is None:
            return Optimum(inf, None)
        if not reduced.names:
            return Optimum(0.0, np.zeros(0))
        choices = [phases(constraint) for constraint in reduced.piecewise]
        patterns = prod(map(len, choices))
        if patterns > self.leaves:
            return Optimum(
                -inf, None, f"enumeration: {patterns} phase patterns, more than {self.leaves}"
            )
        try:
            tree = _Tree(reduced, choices, costs, deadline, first)
            return tree.search()
        except _StoppedError as stopped:
            return Optimum(-inf, None, str(stopped))


def phases(constraint: Relu | Abs | Max | Disjunction) -> tuple[Phase, ...]:
    """The linear cases whose union is ``constraint``."""
    match constraint:
        case Relu():
            x, y = constraint.input, constraint.output
            off = (row({y: 1.0}, "=", 0.0), row({x: 1.0}, "<=", 0.0))
            return (_equal(y, x), row({x: 1.0}, ">=", 0.0)), off
        case Abs():
            x, y = constraint.input, constraint.output
            negative = (row({y: 1.0, x: 1.0}, "=", 0.0), row({x: 1.0}, "<=", 0.0))
            return (_equal(y, x), row({x: 1.0}, ">=", 0.0)), negative
        case Max():
            y = constraint.output
            return tuple(
                (
                    _equal(y, x),
                    *(row({y: 1.0, z: -1.0}, ">=", 0.0) for z in constraint.inputs if z != x),
                )
                for x in constraint.inputs
            )
        case Disjunction():
            return constraint.cases
        case _:
            assert_never(constraint)


def _equal(x: Variable, y: Variable) -> Row:
    return row({x: 1.0, y: -1.0}, "=", 0.0)


class _StoppedError(Exception):
    """The search cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class _Side:
    """One row of the LP, switched on by giving it its sides."""

    index: int
    low: float
    high: float


class _Tree:
    """One search; a single warm LP whose rows are switched on and off."""

    def __init__(
        self,
        query: Query,
        choices: list[tuple[Phase, ...]],
        costs: Array,
        deadline: float,
        first: bool,
    ) -> None:
        self._deadline, self._first = deadline, first
        self._best: Array | None = None
        self._value = inf
        columns: list[NDArray[np.int64]] = []
        values: list[Array] = []

        def add(source: Row) -> _Side:
            ready = scaled(source, query.lower, query.upper)
            if ready is None:
                raise _StoppedError("enumeration: a coefficient is too small for HiGHS; scale it")
            keep = ready[0] != 0.0
            columns.append(source.variables[keep])
            values.append(ready[0][keep])
            return _Side(len(columns) - 1, ready[1], ready[2])

        always = [add(r) for r in query.rows]
        self._choices = [[[add(r) for r in phase] for phase in choice] for choice in choices]
        size, count = len(query.names), len(columns)
        starts = np.cumsum([0, *(c.size for c in columns)])
        matrix = sp.csr_array(
            (
                np.concatenate([*values, np.zeros(0)]),
                np.concatenate([*columns, np.zeros(0, np.int64)]),
                starts,
            ),
            shape=(count, size),
        )
        free = np.full(count, inf)
        integer = np.zeros(size, dtype=bool)
        program = Program(size, query.lower, query.upper, integer, matrix, -free, free)
        self._solver = open_solver(program, costs)
        if self._solver is None:
            raise _StoppedError(REFUSED)
        set_option(self._solver, "presolve", "off")
        self._switch(always, on=True)

    def search(self) -> Optimum:
        self._visit(0)
        if self._best is None:
            return Optimum(inf, None)
        return Optimum(self._value, self._best)

    def _visit(self, depth: int) -> bool:
        """Search below the current prefix of phases; True where the whole search is done."""
        found = self._relax()
        if found is None:
            return False
        bound, values = found
        if bound >= self._value:
            return False
        if depth == len(self._choices):
            if values is None:
                raise _StoppedError("the objective is unbounded below")
            self._best, self._value = values, bound
            return self._first
        for phase in self._choices[depth]:
            self._switch(phase, on=True)
            done = self._visit(depth + 1)
            self._switch(phase, on=False)
            if done:
                return True
        return False

    def _switch(self, rows: list[_Side], *, on: bool) -> None:
        for side in rows:
            low, high = (side.low, side.high) if on else (-inf, inf)
            self._solver.changeRowBounds(side.index, low, high)

    def _relax(self) -> tuple[float, Array | None] | None:
        """The LP of the current prefix: (minimum, point), (-inf, None) where unbounded, None
        where infeasible. Solved anew from nothing where the warm start misleads the solver."""
        for status in self._attempts():
            match status:
                case _Status.kInfeasible:
                    return None
                case _Status.kUnbounded:
                    return -inf, None
                case _Status.kOptimal:
                    point = np.array(self._solver.getSolution().col_value, dtype=np.float64)
                    return float(self._solver.getInfo().objective_function_value), point
        raise _StoppedError(explain(status))

    def _attempts(self) -> Iterator[Any]:
        for _ in range(2):
            left = self._deadline - time.monotonic()
            if left <= 0.0:
                raise _StoppedError("timeout: enumeration gave up")
            set_option(self._solver, "time_limit", self._solver.getRunTime() + left)
            yield run(self._solver)
            self._solver.clearSolver()
