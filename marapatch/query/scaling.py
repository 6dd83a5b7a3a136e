"""A query with variables of about unit range, and the way back (ARCHITECTURE: 6.1, for any query).

Marabou's tolerances are absolute, and it fixes variables of narrow range to one value: whatever is
put to it is scaled first, and may be relaxed, so that thin sets become thick.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import frexp, ldexp
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from marapatch.query.query import Assignment, Query, variables_of
from marapatch_encodings.terms import (
    Abs,
    Constraint,
    Disjunction,
    Max,
    Relu,
    Row,
    Sense,
    Variable,
    dense_row,
)

Array = NDArray[np.float64]

NARROW = 1e-3
"""A ReLU or absolute value that reaches less than this far, relatively, beyond 0 on one side is
replaced by a band around its other side where a query is relaxed."""

RELAXATION = 1e-6
"""By how much a relaxed query may miss a row whose largest scaled coefficient is 1."""

NEGLIGIBLE = 1e-9
"""A range narrower than this share of its middle is not stretched: it is rounding."""

WIDENING = 1e-7
"""Bounds of a relaxed query are moved out by this share of the variable's scale."""


@dataclass(frozen=True, eq=False)
class Scaled:
    """``query`` over scaled variables; ``x = shift + scale * v`` leads back."""

    query: Query
    shift: Array
    scale: Array

    def back(self, assignment: Assignment) -> Assignment:
        """The assignment of the original query that ``assignment`` stands for."""
        return np.asarray(self.shift + self.scale * np.asarray(assignment))


def normalise(query: Query, relaxation: float = 0.0) -> Scaled:
    """The same question over variables of about unit range.

    Variables joined by a ReLU, absolute value or maximum share one scale (a power of two, so that
    scaling rounds nothing) and are not shifted; any other variable with finite bounds is shifted
    so that its range is about [-1, 1]. Variables with infinite bounds stay. With ``relaxation`` 0
    an equivalent query, up to the rounding of shifted right-hand sides. With ``relaxation`` > 0 an
    over-approximation: rows may be missed by that much, bounds are widened by
    :data:`WIDENING`, and piecewise-linear constraints that are all but linear on their range
    become bands. Equalities that define the input of a ReLU, absolute value or maximum stay.
    """
    joined = _groups(query)
    shift, scale = _scales(query, joined)
    lower, upper = (query.lower - shift) / scale, (query.upper - shift) / scale
    if relaxation > 0.0:
        # Moved out, a variable of one value would have one of those narrow ranges that Marabou
        # fixes to their middle.
        wide = query.upper > query.lower
        keep = (query.lower == 0.0) & (joined >= 0)  # outputs of ReLUs stay non-negative
        lower = np.where(wide & ~keep, lower - WIDENING, lower)
        upper = np.where(wide, upper + WIDENING, upper)
    scaler = _Scaler(query, lower, upper, shift, scale, relaxation)
    kept = query.constraints if relaxation == 0.0 else _without_idle(query)
    constraints = tuple(c for given in kept for c in scaler.constraint(given))
    return Scaled(Query(query.names, lower, upper, constraints), shift, scale)


def _without_idle(query: Query) -> tuple[Constraint, ...]:
    """The constraints less the rows that a variable of no other use can satisfy by itself.

    Such a variable stands in inequalities only, always to be better large (or always small), as
    the epigraph of an objective does. Leaving rows out enlarges the set.
    """
    up, down = np.zeros(len(query.names), bool), np.zeros(len(query.names), bool)
    for constraint in query.constraints:
        if isinstance(constraint, Row) and constraint.sense != "=":
            # A larger value helps a row >= by a coefficient above 0, and a row <= by one below 0.
            positive = (constraint.coefficients > 0.0) == (constraint.sense == ">=")
            up[constraint.variables[positive]] = True
            down[constraint.variables[~positive]] = True
        else:
            # An equality or a piecewise-linear constraint may want either direction.
            used = list(variables_of(constraint))
            up[used] = down[used] = True
    idle = up ^ down
    extent = np.where(up, query.upper, query.lower)
    return tuple(
        c
        for c in query.constraints
        if not (isinstance(c, Row) and c.sense != "=" and _met(c, idle, extent, query))
    )


def _met(row: Row, idle: NDArray[np.bool_], extent: Array, query: Query) -> bool:
    """Whether ``row`` has idle variables and (about) holds when they go as far as they can."""
    mine = idle[row.variables]
    if not mine.any():
        return False
    better_large = (row.coefficients > 0.0) == (row.sense == ">=")
    # With the others at their worst the row holds whatever they are.
    worst = np.where(better_large, query.lower[row.variables], query.upper[row.variables])
    terms = row.coefficients * np.where(mine, extent[row.variables], worst)
    total, size = float(terms.sum()), float(np.abs(terms).sum())
    gap = total - row.rhs if row.sense == ">=" else row.rhs - total
    return gap >= -1e-9 * size


def _groups(query: Query) -> NDArray[np.int64]:
    """By variable, the representative of those it shares a scale with; -1 where it has none."""
    parent = np.full(len(query.names), -1, dtype=np.int64)

    def root(v: int) -> int:
        if parent[v] < 0:
            parent[v] = v
        while parent[v] != v:
            parent[v] = parent[parent[v]]
            v = int(parent[v])
        return v

    for members in _memberships(query.constraints):
        first = root(members[0])
        for other in members[1:]:
            parent[root(other)] = first
    return np.array([root(v) if parent[v] >= 0 else -1 for v in range(parent.size)], np.int64)


def _memberships(constraints: Iterable[Constraint]) -> Iterator[list[int]]:
    for constraint in constraints:
        match constraint:
            case Relu() | Abs():
                yield [constraint.input, constraint.output]
            case Max():
                yield [*constraint.inputs, constraint.output]
            case Row() | Disjunction():
                pass
            case _:
                assert_never(constraint)


def _scales(query: Query, joined: NDArray[np.int64]) -> tuple[Array, Array]:
    """Shift and scale by variable; scales are powers of two, and where shifted, shifts are the
    middle of the range."""
    finite = np.isfinite(query.lower) & np.isfinite(query.upper)
    # ReLU, |x| and max commute with one factor above 0 common to all their variables; ReLU and |x|
    # do not with a shift.
    free = finite & (joined < 0)
    # Halved before they are added: the sum of two finite bounds may overflow.
    shift = np.where(
        free, 0.5 * np.where(free, query.lower, 0) + 0.5 * np.where(free, query.upper, 0), 0.0
    )
    size = np.where(
        finite, np.maximum(np.abs(query.lower - shift), np.abs(query.upper - shift)), 0.0
    )
    extent = np.maximum(size, NEGLIGIBLE * np.abs(shift))
    for v in np.flatnonzero(joined >= 0):
        extent[joined[v]] = max(extent[joined[v]], size[v])
    extent = np.where(joined >= 0, extent[np.maximum(joined, 0)], extent)
    scale = np.array([_power(r) for r in extent.tolist()])
    return shift, scale


def _power(size: float) -> float:
    """A power of two near ``size``; 1 where that is 0 or extreme."""
    exponent = frexp(size)[1] if size > 0.0 else 0
    return ldexp(1.0, exponent) if -500 < exponent < 500 else 1.0


class _Scaler:
    def __init__(
        self,
        query: Query,
        lower: Array,
        upper: Array,
        shift: Array,
        scale: Array,
        relaxation: float,
    ) -> None:
        self.lower, self.upper, self.shift, self.scale = lower, upper, shift, scale
        self.relaxation = relaxation
        self.inputs = {v for members in _memberships(query.constraints) for v in members[:-1]}

    def constraint(self, given: Constraint) -> Iterator[Constraint]:
        match given:
            case Row():
                yield from self.row(given, keep_equality=self._defines(given))
            case Relu() | Abs():
                band = None if self.relaxation <= 0.0 else self._band(given)
                yield from (given,) if band is None else band
            case Max():
                yield given
            case Disjunction(cases=cases):
                yield Disjunction(
                    tuple(tuple(r for part in case for r in self.row(part)) for case in cases)
                )
            case _:
                assert_never(given)

    def _defines(self, given: Row) -> bool:
        return given.sense == "=" and any(v in self.inputs for v in given.variables.tolist())

    def row(self, given: Row, *, keep_equality: bool = False) -> Iterator[Row]:
        """The scaled row, its largest coefficient about 1; relaxed unless it is to be kept."""
        coefficients = given.coefficients * self.scale[given.variables]
        moved = given.coefficients * self.shift[given.variables]
        # c . x = c . shift + (c scale) . v. Scales are powers of two: in a row this alone rounds.
        rhs = given.rhs - float(moved.sum())
        largest = float(np.abs(coefficients).max(initial=0.0))
        factor = 1.0 / _power(largest) if largest > 0.0 else 1.0
        coefficients, rhs = coefficients * factor, rhs * factor
        slack = 0.0 if keep_equality or not given.variables.size else self.relaxation
        if slack == 0.0:
            yield dense_row(given.variables, coefficients, given.sense, rhs)
            return
        # An equality that may be missed either way is two inequalities.
        senses: tuple[Sense, ...] = ("<=", ">=") if given.sense == "=" else (given.sense,)
        for sense in senses:
            side = rhs + slack if sense == "<=" else rhs - slack
            yield dense_row(given.variables, coefficients, sense, side)

    def _band(self, given: Relu | Abs) -> tuple[Row, ...] | None:
        """Rows that contain a constraint which is linear but for a sliver; None where it is not."""
        x, y = given.input, given.output
        low, high = float(self.lower[x]), float(self.upper[x])
        sliver = NARROW * max(-low, high)
        falls = 0.0 if isinstance(given, Relu) else -1.0
        # relu(x) - x = max(-x, 0) and |x| - x = 2 max(-x, 0) are at most 1 and 2 times -low: y is
        # within a band above the line y = x. Where x is hardly above 0, likewise above y = 0 or y =
        # -x.
        if 0.0 < -low <= sliver:  # rises as y = x, except on [low, 0]
            slope, excess = 1.0, (1.0 - falls) * -low
        elif 0.0 < high <= sliver:
            slope, excess = falls, (1.0 - falls) * high
        else:
            return None
        terms = [Variable(y), Variable(x)]
        return (
            dense_row(terms, [1.0, -slope], ">=", -self.relaxation),
            dense_row(terms, [1.0, -slope], "<=", excess + self.relaxation),
        )
