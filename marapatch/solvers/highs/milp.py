"""A query as a mixed-integer linear program: pure translation, no solver.

Exact: an assignment meets the query if and only if it extends to one of the program, in real
arithmetic. Every big-M comes from bounds that interval propagation proves. What float64 cannot
hold exactly is rounded so that no assignment is lost: infeasible stays right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, nextafter
from typing import assert_never

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.query.intervals import activity, propagate
from marapatch.query.query import Query
from marapatch.query.reduction import doublings, reduce
from marapatch.solvers.base import Infeasible, Undecided
from marapatch_encodings.terms import Abs, Disjunction, Max, Relu, Row, Variable, row

Array = NDArray[np.float64]

SMALLEST_COEFFICIENT = 2e-12
"""HiGHS reads a matrix entry of at most 1e-12 as zero; such terms are bounded instead."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """``row_lower <= matrix @ x <= row_upper``, ``lower <= x <= upper``, ``x[integer]`` integral.

    The first ``variables`` columns are the query's variables, by number; the others are binary.
    ``matrix``: scipy.sparse csr_array (rows, columns).
    """

    variables: int
    lower: Array
    upper: Array
    integer: NDArray[np.bool_]
    matrix: sp.csr_array
    row_lower: Array
    row_upper: Array


class UnboundedError(Exception):
    """A big-M needs a bound that does not follow; the message names the variable."""


def translate(query: Query) -> Program | Infeasible | Undecided:
    """The program of ``query``, or what is known without one.

    Cost in binaries: 1 a ReLU or absolute value whose phase the bounds leave open, k a maximum of
    k inputs that can be largest, k a disjunction of k cases. Infeasible where interval
    propagation proves it; Undecided where a needed bound is infinite.
    Source of the ReLU form: Tjeng, Xiao, Tedrake, "Evaluating Robustness of Neural Networks with
    Mixed Integer Programming", section 4.
    """
    reduced = reduce(query)
    bounds = None if reduced is None else propagate(reduced)
    if reduced is None or bounds is None:
        return Infeasible()
    builder = _Builder(reduced.names, list(bounds[0]), list(bounds[1]))
    try:
        for constraint in reduced.constraints:
            match constraint:
                case Row():
                    builder.add(constraint)
                case Relu():
                    _relu(builder, constraint)
                case Abs():
                    _abs(builder, constraint)
                case Max():
                    _max(builder, constraint)
                case Disjunction():
                    _disjunction(builder, constraint)
                case _:
                    assert_never(constraint)
    except UnboundedError as error:
        return Undecided(str(error))
    return builder.program()


def scaled(
    source: Row, lower: Sequence[float] | Array, upper: Sequence[float] | Array
) -> tuple[Array, float, float] | None:
    """Coefficients, lower and upper side of ``source`` as HiGHS may read them safely.

    Small rows are scaled up by a power of two, so that the largest coefficient is at least 1/2
    and an absolute tolerance means the same everywhere. A term still at most
    :data:`SMALLEST_COEFFICIENT` is dropped (coefficient 0) and the sides are relaxed by its
    range: an over-approximation, so infeasible stays right. None where that range is infinite.
    """
    exponent = doublings(source)
    with np.errstate(over="ignore"):
        coefficients = np.ldexp(source.coefficients, exponent)
        rhs = float(np.ldexp(source.rhs, exponent))
    low = rhs if source.sense in (">=", "=") else -inf
    high = rhs if source.sense in ("<=", "=") else inf
    tiny = np.abs(coefficients) <= SMALLEST_COEFFICIENT
    if tiny.any():
        dropped = Row(source.variables[tiny], coefficients[tiny], source.sense, rhs)
        smallest, largest = activity(dropped, np.asarray(lower), np.asarray(upper))
        if not (isfinite(smallest) and isfinite(largest)):
            return None
        coefficients = np.where(tiny, 0.0, coefficients)
        low, high = nextafter(low - largest, -inf), nextafter(high - smallest, inf)
    return coefficients, low, high


@dataclass
class _Builder:
    """Rows and columns as they come; the only mutable thing here."""

    names: tuple[str, ...]
    lower: list[float]
    upper: list[float]
    columns: list[NDArray[np.int64]] = field(default_factory=list)
    values: list[Array] = field(default_factory=list)
    row_lower: list[float] = field(default_factory=list)
    row_upper: list[float] = field(default_factory=list)

    def binary(self) -> int:
        self.lower.append(0.0)
        self.upper.append(1.0)
        return len(self.lower) - 1

    def finite(self, bound: float, variable: int, what: str) -> float:
        if not isfinite(bound):
            raise UnboundedError(
                f"MILP: {what}, variable {self.names[variable]!r} has no finite bounds, and none "
                "follow from the rows; give it bounds"
            )
        return bound

    def add(self, source: Row) -> None:
        if not source.variables.size:
            return
        ready = scaled(source, self.lower, self.upper)
        if ready is None:
            raise UnboundedError(
                "MILP: a row has a coefficient too small for HiGHS on a variable without finite "
                "bounds; give it bounds or scale it"
            )
        keep = ready[0] != 0.0
        self.columns.append(source.variables[keep])
        self.values.append(ready[0][keep])
        self.row_lower.append(ready[1])
        self.row_upper.append(ready[2])

    def program(self) -> Program:
        variables, size = len(self.names), len(self.lower)
        starts = np.cumsum([0, *(c.size for c in self.columns)])
        matrix = sp.csr_array(
            (
                np.concatenate([*self.values, np.zeros(0)]),
                np.concatenate([*self.columns, np.zeros(0, np.int64)]),
                starts,
            ),
            shape=(len(self.columns), size),
        )
        return Program(
            variables,
            np.array(self.lower, dtype=np.float64),
            np.array(self.upper, dtype=np.float64),
            np.arange(size) >= variables,
            matrix,
            np.array(self.row_lower, dtype=np.float64),
            np.array(self.row_upper, dtype=np.float64),
        )


def _terms(*pairs: tuple[int, float]) -> list[tuple[Variable, float]]:
    return [(Variable(v), c) for v, c in pairs]


def _relu(builder: _Builder, constraint: Relu) -> None:
    """z = 1: y = x >= 0; z = 0: y = 0, x <= 0."""
    x, y = constraint.input, constraint.output
    low, high = builder.lower[x], builder.upper[x]
    if low >= 0.0:
        builder.add(row(_terms((y, 1.0), (x, -1.0)), "=", 0.0))
        return
    if high <= 0.0:
        builder.add(row(_terms((y, 1.0)), "=", 0.0))
        return
    z = builder.binary()
    low = builder.finite(low, x, "the input of a ReLU")
    high = builder.finite(high, x, "the input of a ReLU")
    builder.add(row(_terms((y, 1.0)), ">=", 0.0))
    builder.add(row(_terms((y, 1.0), (x, -1.0)), ">=", 0.0))
    builder.add(row(_terms((y, 1.0), (x, -1.0), (z, -low)), "<=", -low))
    builder.add(row(_terms((y, 1.0), (z, -high)), "<=", 0.0))


def _abs(builder: _Builder, constraint: Abs) -> None:
    """z = 1: y = x >= 0; z = 0: y = -x >= 0."""
    x, y = constraint.input, constraint.output
    low, high = builder.lower[x], builder.upper[x]
    if low >= 0.0 or high <= 0.0:
        sign = -1.0 if low >= 0.0 else 1.0
        builder.add(row(_terms((y, 1.0), (x, sign)), "=", 0.0))
        return
    z = builder.binary()
    low = builder.finite(low, x, "the input of an absolute value")
    high = builder.finite(high, x, "the input of an absolute value")
    builder.add(row(_terms((y, 1.0), (x, -1.0)), ">=", 0.0))
    builder.add(row(_terms((y, 1.0), (x, 1.0)), ">=", 0.0))
    builder.add(row(_terms((y, 1.0), (x, -1.0), (z, -2.0 * low)), "<=", -2.0 * low))
    builder.add(row(_terms((y, 1.0), (x, 1.0), (z, -2.0 * high)), "<=", 0.0))


def _max(builder: _Builder, constraint: Max) -> None:
    """z_i = 1: y = x_i; one z_i is 1. An input that is never largest needs no z."""
    y = constraint.output
    least = max(builder.lower[x] for x in constraint.inputs)
    for x in constraint.inputs:
        builder.add(row(_terms((y, 1.0), (x, -1.0)), ">=", 0.0))
    able = [x for x in constraint.inputs if builder.upper[x] >= least]
    if len(able) == 1:
        builder.add(row(_terms((y, 1.0), (able[0], -1.0)), "=", 0.0))
        return
    largest = max(able, key=builder.upper.__getitem__)
    high = builder.finite(builder.upper[largest], largest, "an input of a maximum")
    choices = [builder.binary() for _ in able]
    for x, z in zip(able, choices, strict=True):
        low = builder.finite(builder.lower[x], x, "an input of a maximum")
        gap = nextafter(high - low, inf)
        builder.add(row(_terms((y, 1.0), (x, -1.0), (z, gap)), "<=", gap))
    builder.add(row(_terms(*((z, 1.0) for z in choices)), "=", 1.0))


def _disjunction(builder: _Builder, constraint: Disjunction) -> None:
    """z_k = 1: the rows of case k hold; some z_k is 1."""
    choices = [builder.binary() for _ in constraint.cases]
    for case, z in zip(constraint.cases, choices, strict=True):
        for r in case:
            _implied(builder, r, z)
    builder.add(row(_terms(*((z, 1.0) for z in choices)), ">=", 1.0))


def _implied(builder: _Builder, r: Row, z: int) -> None:
    """``r`` where z = 1; nothing where z = 0."""
    bounds = np.array(builder.lower), np.array(builder.upper)
    smallest, largest = activity(r, *bounds)
    terms = list(zip(map(Variable, r.variables.tolist()), r.coefficients.tolist(), strict=True))
    for sense, excess in (("<=", largest - r.rhs), (">=", r.rhs - smallest)):
        if r.sense not in (sense, "=") or excess <= 0.0:
            continue
        if not isfinite(excess):
            open_ended = ~(np.isfinite(bounds[0]) & np.isfinite(bounds[1]))[r.variables]
            builder.finite(excess, int(r.variables[np.argmax(open_ended)]), "in a disjunction")
        gap = nextafter(excess, inf)
        if sense == "<=":
            side = nextafter(r.rhs + gap, inf)
            builder.add(row([*terms, (Variable(z), gap)], "<=", side))
        else:
            side = nextafter(r.rhs - gap, -inf)
            builder.add(row([*terms, (Variable(z), -gap)], ">=", side))
