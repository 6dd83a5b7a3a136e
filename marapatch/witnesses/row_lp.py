"""Linear programs over the change of an input: the least weighted change that meets some rows,
or the one that violates them least. Rows enter a program only once they are violated: of the
phases of a deep network few ever matter, and the programs stay small.

Everything here proposes; whoever asks replays. Shapes: R rows, I inputs; ``matrix`` (R, I), ``rhs``
(R,), a change, its bounds and weights (I,).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from time import monotonic

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.linear_programs.warm import LinearProgram
from marapatch.network.layers import Array, Matrix
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm
from marapatch.witnesses.fewest_entries import fewest_entries
from marapatch.witnesses.linear_region import Region, nearest_in_region

ROW_TOLERANCE = 1e-9
"""By how much a scaled row may be missed."""

ROUNDS = 40
AT_ONCE = 40
"""How often rows are added to a program, and how many at most at a time."""

ELASTIC_ROUNDS = 2
"""The same where rows may be missed."""

STARTING_COLUMNS = 100
"""Entries with which a program starts."""

CHANGE_COST = 1e-3
"""The dual value of the change beside that of a violation."""


@dataclass(frozen=True, eq=False)
class Rows:
    """``matrix @ d >= rhs`` for a change ``lower <= d <= upper``; rows scaled to sum to 1."""

    matrix: Array
    rhs: Array
    lower: Array
    upper: Array

    @staticmethod
    def scaled(matrix: Array, rhs: Array, lower: Array, upper: Array) -> Rows:
        """With rows divided by the sum of their absolute coefficients; rows of 0 stay."""
        size = np.abs(matrix).sum(axis=1)
        # By how much a row of this scale is missed is a length: all entries moved by as much make
        # up for it. So one tolerance fits rows of any size.
        size = np.where(size > 0.0, size, 1.0)
        return Rows(matrix / size[:, None], rhs / size, lower, upper)

    def missed(self, change: Array) -> Array:
        """By how much each row is missed, 0 where it is met."""
        return np.asarray(np.maximum(self.rhs - self.matrix @ change, 0.0))

    def take(self, rows: NDArray[np.int64]) -> Rows:
        """Some of the rows."""
        return Rows(self.matrix[rows], self.rhs[rows], self.lower, self.upper)


Solver = Callable[[Rows], "Array | None"]


def min_l1(rows: Rows, weights: Array, deadline: float = inf) -> Array | None:
    """The change of least ``weights . |d|`` that meets every row; None where there is none."""
    return _lazily(rows, lambda some: _min_l1(some, weights, deadline))


def min_linf(rows: Rows) -> Array | None:
    """The change whose largest entry is least; None where none meets every row."""
    return _lazily(rows, _min_linf)


def min_change(rows: Rows, norm: Norm, deadline: float = inf) -> Array | None:
    """The change of least norm that meets every row; None where there is none."""
    if norm is Norm.L1:
        return min_l1(rows, np.ones(rows.lower.size), deadline)
    return min_linf(rows)


def least_violation(rows: Rows, deadline: float = inf) -> Array | None:
    """A change that misses the rows little in sum, the smaller of equals; None out of time.

    Least over the rows that were looked at, which are those missed most.
    """
    return _lazily(rows, lambda some: _elastic(some, deadline), ELASTIC_ROUNDS)


def _lazily(rows: Rows, solve: Solver, rounds: int = ROUNDS) -> Array | None:
    """Solve over the rows that are violated so far, until no other is. After fewer ``rounds``
    than :data:`ROUNDS` the last solution will do."""
    # No change at all meets the rows with rhs <= 0: only the others are needed to begin with.
    order = np.argsort(-rows.rhs, kind="stable")
    chosen = np.asarray(order[rows.rhs[order] > 0.0][:AT_ONCE])
    change = np.zeros(rows.lower.size)
    for _ in range(rounds):
        if chosen.size:
            found = solve(rows.take(chosen))
            # What cannot be met by some rows cannot be met by all. Being out of time looks the
            # same, and so None proves nothing.
            if found is None:
                return None
            change = found
        # An optimum over some rows that meets the others too is the optimum over all.
        missed = rows.missed(change)
        # A row of the program may be missed within the tolerance, or because its rows are elastic:
        # to add it once more would change nothing.
        missed[chosen] = 0.0
        worst = _worst(missed)
        if not worst.size:
            return change
        chosen = np.concatenate([chosen, worst])
    return change if rounds < ROUNDS else None


def _worst(missed: Array) -> NDArray[np.int64]:
    order = np.argsort(-missed, kind="stable")[:AT_ONCE]
    return np.asarray(order[missed[order] > ROW_TOLERANCE])


def _min_l1(rows: Rows, weights: Array, deadline: float) -> Array | None:
    """By columns: those that gain most first, then those that the dual values ask for."""
    # The most that an entry can add to any row within its bounds. One that adds to none only costs:
    # it is 0 in some optimum and needs no column.
    gain = np.maximum(rows.matrix * rows.upper, rows.matrix * rows.lower).max(axis=0)
    order = np.argsort(-gain / np.maximum(weights, 1e-300), kind="stable")
    order = order[gain[order] > 0.0]
    if not order.size:
        return None
    count = min(STARTING_COLUMNS, order.size)
    while True:
        used = order[:count]
        found = _min_l1_over(rows, weights, used, deadline)
        if found is not None:
            change, dual_values = found
            # The reduced cost of an entry left out is weight - |dual values . column|: where none
            # is below 0 the optimum over the entries used is that over all.
            short = np.abs(dual_values @ rows.matrix[:, order[count:]]) - weights[order[count:]]
            asked = order[count:][short > ROW_TOLERANCE]
            if not asked.size:
                return change
            # The rest loses its order here (setdiff1d sorts); from now on the dual values choose.
            order = np.concatenate([used, asked, np.setdiff1d(order[count:], asked)])
            count += asked.size
        elif count == order.size or monotonic() >= deadline:
            return None
        else:  # without a solution over some entries nothing is known of all
            count = order.size


def _min_l1_over(
    rows: Rows, weights: Array, used: NDArray[np.int64], deadline: float
) -> tuple[Array, Array] | None:
    """The optimum where only the entries ``used`` change, and the dual values of the rows."""
    matrix = rows.matrix[:, used]
    # d = p - m with p, m >= 0: both cost, so at an optimum one of the two is 0 and p + m is |d|.
    up, down = np.maximum(rows.upper[used], 0.0), np.maximum(-rows.lower[used], 0.0)
    program = LinearProgram(
        _by_columns(np.hstack([matrix, -matrix])),
        (rows.rhs, np.full(rows.rhs.size, inf)),
        (np.zeros(2 * used.size), np.concatenate([up, down])),
        np.concatenate([weights[used], weights[used]]),
    )
    solution = program.solve(deadline - monotonic())
    if solution is None:
        return None
    change = np.zeros(rows.lower.size)
    change[used] = solution.values[: used.size] - solution.values[used.size :]
    return change, solution.row_duals


def _by_columns(matrix: Array) -> Matrix:
    """A dense matrix in the form in which HiGHS takes it, zeros and all: quicker than to look
    for them."""
    rows, columns = matrix.shape
    starts = np.arange(0, rows * columns + 1, rows, dtype=np.int32)
    indices = np.tile(np.arange(rows, dtype=np.int32), columns)
    return sp.csc_array((matrix.T.reshape(-1), indices, starts), shape=matrix.shape)


@dataclass(frozen=True)
class _Around:
    """The box of the change as a ball around no change."""

    ball: Ball


def _min_linf(rows: Rows) -> Array | None:
    lower, upper = np.minimum(rows.lower, 0.0), np.maximum(rows.upper, 0.0)
    ball = Ball(np.zeros(lower.size), lower, upper, Norm.LINF, inf)
    here = Region(rows.matrix, rows.rhs, tuple((-1, i) for i in range(rows.rhs.size)))
    found = nearest_in_region(_Around(ball), here, ball.covering_radius)
    return None if found is None else found.change


def _elastic(rows: Rows, deadline: float) -> Array | None:
    size, count = rows.lower.size, rows.rhs.size
    unit = float(np.maximum(np.abs(rows.lower), np.abs(rows.upper)).max(initial=0.0)) or 1.0
    # All entries at their farthest cost CHANGE_COST together, no more than a violation of that
    # size: the change decides only where the violations are nearly the same.
    cost = np.concatenate([np.full(2 * size, CHANGE_COST / (size * unit)), np.ones(count)])
    program = LinearProgram(
        _by_columns(np.hstack([rows.matrix, -rows.matrix, np.eye(count)])),
        (rows.rhs, np.full(count, inf)),
        (
            np.zeros(2 * size + count),
            np.concatenate(
                [np.maximum(rows.upper, 0.0), np.maximum(-rows.lower, 0.0), np.full(count, inf)]
            ),
        ),
        cost,
    )
    solution = program.solve(deadline - monotonic())
    if solution is None:
        return None
    return solution.values[:size] - solution.values[size : 2 * size]


def min_l0(rows: Rows, seconds: float) -> tuple[Array | None, bool]:
    """The change of fewest entries that meets every row, and whether none has fewer (HiGHS); the
    best found in the time. The box must hold 0."""
    optimum = fewest_entries(rows.matrix, rows.rhs, rows.lower, rows.upper, seconds)
    if optimum.assignment is None:
        return None, False
    change, used = np.split(optimum.assignment, 2)
    # A binary may be off by HiGHS' tolerance, which lets the entry move by as much of its range.
    # What is not used goes back to exactly 0, so that it does not count as changed.
    return np.where(used > 0.5, change, 0.0), not optimum.reason
