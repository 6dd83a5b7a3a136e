"""Linear regions of a network: the rows that say so, and the nearest point that meets a condition.

With the activation pattern fixed the network is affine. Linear programs here propose points and
multipliers; points are replayed and multipliers turned into rigorous bounds by whoever asks.

Shapes: I inputs, R rows; ``matrix`` (R, I), ``rhs``, ``scales``, dual values (R,), a change (I,).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from marapatch.bounds.bounds import Bounds
from marapatch.bounds.displacement import Displacement, displacement
from marapatch.linear_programs.warm import LinearProgram, Solution
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.question import Question

Pattern = tuple[NDArray[np.bool_], ...]
"""Per ReLU layer, True where active."""

MOST_ENTRIES = 50_000_000
"""Of a matrix from the inputs to the neurons of one layer, with which regions are made."""

NEWTON_STEPS = 40
UNBOUNDED = 1e6
"""Stands for no bound on a slack; rows are scaled to coefficients that sum to 1."""


class Placed(Protocol):
    """Anything with a ball around which changes are looked for, a :class:`Question` for one."""

    @property
    def ball(self) -> Ball:
        """Its radius does not matter here."""
        ...


@dataclass(frozen=True, eq=False)
class Region:
    """The rows ``matrix @ d >= rhs`` under which an activation pattern and the condition hold.

    ``d``: the change of the input. ``neuron``: the (layer, index) of each row, (-1, i) for rows
    of the condition. ``scales``: the sum of the absolute coefficients of each row, for solving.
    """

    matrix: Array
    rhs: Array
    neuron: tuple[tuple[int, int], ...]

    @property
    def scales(self) -> Array:
        """Positive, one a row."""
        return np.asarray(np.maximum(np.abs(self.matrix).sum(axis=1), 1e-12))


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest point of a region: its distance, the change, and the dual value >= 0 of each
    row."""

    distance: float
    change: Array
    dual_value: Array


@dataclass(frozen=True, eq=False)
class Slack:
    """The largest slack ``s`` with ``matrix d >= rhs + s scales`` within a radius.

    Rows without coefficients (a tie wherever the region is) hold or not, and have no slack.
    ``slack >= 0`` where the region meets the ball; ``slope``: its derivative by the radius;
    ``change``: where it is taken; ``dual_value``: of each row of the region, >= 0.
    """

    slack: float
    slope: float
    change: Array
    dual_value: Array


def region(question: Question, pattern: Pattern, bounds: Bounds) -> Region:
    """The region of ``pattern``; neurons that ``bounds`` show to be stable need no row."""
    return region_of(
        question.form, question.ball.centre, question.condition, pattern, bounds.unstable
    )


def region_of(
    form: StandardForm, centre: Array, condition: OutputCondition, pattern: Pattern, rows: Pattern
) -> Region:
    """The rows over changes of ``centre`` under which the condition holds with the phases of
    ``pattern``; of the neurons, those that are True in ``rows`` get one."""
    values = [(np.eye(form.inputs), centre)]
    parts, offsets, neurons = [], [], []
    for k, layer in enumerate((*form.hidden, form.output)):
        matrix = np.zeros((layer.outputs, form.inputs))
        constant = np.array(layer.bias)
        for source, weight in zip(layer.sources, layer.weights, strict=True):
            matrix += weight @ values[source][0]
            constant += weight @ values[source][1]
        if k == len(form.hidden):
            parts.append(condition.matrix @ matrix)
            offsets.append(condition.rhs - condition.matrix @ constant)
            neurons += [(-1, i) for i in range(condition.rhs.size)]
            break
        active = pattern[k]
        free = np.flatnonzero(rows[k])
        # A neuron stays on its side where sign * z >= 0: a row of the region, scaled to its largest
        # entry.
        sign = np.where(active[free], 1.0, -1.0)
        parts.append(matrix[free] * sign[:, None])
        offsets.append(-constant[free] * sign)
        neurons += [(k, int(i)) for i in free]
        # Within the region ReLU is a product with 0 or 1, so that every layer is affine in the
        # input.
        values.append((matrix * active[:, None], constant * active))
    return Region(np.concatenate(parts), np.concatenate(offsets), tuple(neurons))


class SlackProgram:
    """:class:`Slack` at one radius after the other, one linear program kept warm.

    The slack is concave in the radius. Where the norm is a sum of columns
    (:mod:`marapatch.bounds.displacement`) the radius is a row of them, the budget. ``deadline``: of
    the monotonic clock; from then on there is no solution.
    """

    def __init__(self, question: Placed, region: Region, deadline: float = inf) -> None:
        self.deadline = deadline
        self.displacement = displacement(question.ball, every=True)
        self.displacement_bounds = question.ball.with_radius(np.inf).displacement_bounds
        scales = region.scales
        rows = region.matrix / scales[:, None]
        low, high = region.rhs / scales, np.full(scales.size, np.inf)
        # The slack is common to all rows and maximised: the point deepest inside, which rounding
        # cannot put outside. A row that is 0 cannot be made slack by any input.
        less = np.where(np.any(region.matrix != 0.0, axis=1), -1.0, 0.0)[:, None]
        matrix = np.hstack([self.displacement.coefficients(rows), less])
        if self.displacement.linear:
            # p and m are never both above 0 at an optimum, so that their sum is |d|_1.
            matrix = np.vstack([matrix, np.append(np.ones(self.displacement.columns), 0.0)])
            low, high = np.append(low, -np.inf), np.append(high, np.inf)
        self.rows = low, high
        self.scales = scales
        cost = np.zeros(matrix.shape[1])
        cost[-1] = -1.0
        self.program = LinearProgram(matrix, self.rows, self._columns(0.0), cost)

    def _columns(self, radius: float) -> tuple[Array, Array]:
        # A change of more than the radius in one entry is no use, and finite bounds are.
        down, up = (np.minimum(side, radius) for side in self.displacement_bounds)
        low, high = self.displacement.bounds(down, up)
        return np.append(low, -UNBOUNDED), np.append(high, UNBOUNDED)

    def at(self, radius: float) -> Slack | None:
        """The slack at ``radius``; None where the solver gives none."""
        self.program.bound(*self._columns(radius))
        if self.displacement.linear:
            self.program.bound_rows(self.rows[0], np.append(self.rows[1][:-1], radius))
        solution = _solved(self.program, self.deadline)
        if solution is None:
            return None
        dual_value = np.abs(solution.row_duals[: self.scales.size])
        return Slack(
            -solution.objective,
            self._slope(solution, radius),
            self.displacement.change(solution.values[:-1]),
            dual_value,
        )

    def _slope(self, solution: Solution, radius: float) -> float:
        if self.displacement.linear:
            # The dual value of the budget row is the slope of the slack in the radius.
            return float(abs(solution.row_duals[-1]))
        reduced = solution.reduced_costs[:-1]
        # Where the box and not the radius binds, the radius does not move the end.
        moving = np.where(
            reduced < 0.0,
            self.displacement_bounds[1] > radius,
            self.displacement_bounds[0] > radius,
        )
        return float(np.abs(reduced) @ moving)


def _solved(program: LinearProgram, deadline: float) -> Solution | None:
    """The optimum, or None where there is none by the deadline."""
    left = deadline - monotonic()
    return program.solve(left) if left > 0.0 else None


def fits(form: StandardForm) -> bool:
    """Whether regions of ``form``, which are dense in the inputs, are of a size to work with."""
    return form.inputs * max(form.sizes[1:], default=1) <= MOST_ENTRIES


def nearest_in_region(
    question: Placed, region: Region, limit: float, deadline: float = inf
) -> Nearest | None:
    """The nearest point of ``region`` if it is nearer than ``limit`` and found by ``deadline`` (of
    the monotonic clock)."""
    columns = displacement(question.ball, every=True)
    if columns.linear:
        found = _by_one_program(question, region, columns, deadline)
    else:
        found = _by_radius(question, region, limit, deadline)
    return found if found is not None and found.distance <= limit else None


def _by_one_program(
    question: Placed, region: Region, columns: Displacement, deadline: float
) -> Nearest | None:
    """Where the norm is a sum of columns: minimise it."""
    sides = question.ball.with_radius(np.inf).displacement_bounds
    # Rows of one size, so that HiGHS' absolute tolerances mean the same in each. The dual values
    # are those of the scaled rows then: whoever makes a bound of them divides by the scales.
    matrix = region.matrix / region.scales[:, None]
    rhs = region.rhs / region.scales
    program = LinearProgram(
        columns.coefficients(matrix),
        (rhs, np.full(rhs.size, np.inf)),
        columns.bounds(*sides),
        np.ones(columns.columns),
    )
    solution = _solved(program, deadline)
    if solution is None:
        return None
    change = columns.change(solution.values)
    return Nearest(float(np.abs(change).sum()), change, np.abs(solution.row_duals))


def _by_radius(question: Placed, region: Region, limit: float, deadline: float) -> Nearest | None:
    """Newton on the concave slack: a tangent's root never passes the least radius."""
    program = SlackProgram(question, region, deadline)
    radius = limit
    for _ in range(NEWTON_STEPS):
        here = program.at(radius)
        if here is None:
            return None
        if here.slope <= 0.0:
            # A concave function that is below 0 where it no longer rises is below 0 at every
            # radius.
            if here.slack < 0.0:
                return None
            # The ball does not bind here: go below the root, from where tangents lead to it.
            reached = float(np.abs(here.change).max(initial=0.0))
            radius = 0.5 * min(radius, reached)
            if radius <= 1e-9 * limit:
                return Nearest(reached, here.change, here.dual_value)
            continue
        following = radius - here.slack / here.slope
        # The slack lies below its tangent, so the tangent is at least 0 where the slack is: its
        # root is no larger than the least radius. With that beyond the limit nothing is near
        # enough.
        if following > limit * (1.0 + 1e-12):
            return None
        if abs(following - radius) <= 1e-9 * limit:
            return Nearest(radius, here.change, here.dual_value)
        radius = max(following, 0.0)
    return None
