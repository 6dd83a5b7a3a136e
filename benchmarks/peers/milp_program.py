"""The nearest input as one mixed-integer linear program: its bounds, columns and rows.

The form of Tjeng, Xiao, Tedrake, "Evaluating Robustness of Neural Networks with Mixed Integer
Programming", section 4: a binary a neuron whose phase the bounds leave open, the distance
minimised. Its bounds are those with which the tree begins.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.bounds.crown import linear_bounds
from marapatch.bounds.subproblems import NodeBounder
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question
from marapatch.solvers.highs.milp import Program

Array = NDArray[np.float64]
Places = NDArray[np.int64]

ROOT_STEPS = 60
ROOT_ROUNDS = 3
"""As the tree bounds its root."""


@dataclass(frozen=True, eq=False)
class RootBounds:
    """Bounds of the pre-activations of all ReLU layers together, for inputs within ``radius``
    that meet the condition. ``refuted``: there are none."""

    radius: float
    lower: Array
    upper: Array
    refuted: bool

    @property
    def unstable(self) -> NDArray[np.bool_]:
        """Which neurons can be on either side of 0."""
        return (self.lower < 0.0) & (self.upper > 0.0)


def root_bounds(question: Question, radius: float) -> RootBounds:
    """Linear bounds, tightened by the cut that the root's own bound proves, as in the tree."""
    bounds = linear_bounds(question.form, question.ball.with_radius(radius))
    bounder = NodeBounder(question.form, bounds, question.condition)
    result = bounder.bound(bounder.root(bounds), ROOT_STEPS)
    for _ in range(ROOT_ROUNDS):
        if result.value[0] > 0.0 or result.nodes.empty[0]:
            break
        result = bounder.bound(bounder.tighten(result.nodes), ROOT_STEPS)
    nodes = result.nodes
    refuted = bool(result.value[0] > 0.0 or nodes.empty[0])
    return RootBounds(radius, nodes.lower[0], nodes.upper[0], refuted)


@dataclass(frozen=True, eq=False)
class Model:
    """The program; ``change @ columns`` is the change of the input, ``cost`` the distance.

    ``units``: by column, the power of two above its largest value; 1 where ``change`` or ``cost``
    uses it.
    """

    program: Program
    cost: Array
    change: sp.csr_array
    units: Array


def model(question: Question, bounds: RootBounds) -> Model:
    """The inputs within ``bounds.radius`` that meet the condition, by mixed-integer rows.

    Columns: the change of each input that may change (L1: its rise and its fall, whose sum is
    the distance; L-inf: one column, and one for the distance), the pre-activation of each neuron
    that is not inactive, and of each unstable one the activation and a binary.
    """
    builder = _L1(question, bounds) if question.ball.norm is Norm.L1 else _LInf(question, bounds)
    return builder.model()


Block = tuple[sp.csr_array, Array, Array]
"""Rows and their sides."""


class _Builder(ABC):
    """Places of the columns: the input's first, then pre-activations, activations, binaries."""

    def __init__(self, question: Question, bounds: RootBounds) -> None:
        self.question, self.bounds = question, bounds
        self.fall, self.rise = question.ball.with_radius(bounds.radius).displacement_bounds
        self.low, self.high, self.cost = self.inputs()
        used, self.count = bounds.upper > 0.0, int(bounds.unstable.sum())
        self.used = used
        self.pre = self.cost.size + np.cumsum(used) - 1
        self.activation = self.cost.size + int(used.sum()) + np.cumsum(bounds.unstable) - 1
        self.binary = self.activation + self.count
        self.columns = self.cost.size + int(used.sum()) + 2 * self.count

    @abstractmethod
    def inputs(self) -> tuple[Array, Array, Array]:
        """Bounds and costs of the input's columns."""

    @abstractmethod
    def change(self) -> sp.csr_array:
        """The change of the input, (inputs, columns)."""

    @abstractmethod
    def ball(self) -> Block:
        """The rows that tie the distance to the change."""

    def ones(self, rows: Places, columns: Places, count: int, value: float = 1.0) -> sp.csr_array:
        """``value`` at each (row, column), in ``count`` rows."""
        entries = np.full(np.shape(rows), value)
        return sp.csr_array((entries, (rows, columns)), shape=(count, self.columns))

    def model(self) -> Model:
        """All of it."""
        bounds, first = self.bounds, self.cost.size
        unstable, used, none = bounds.unstable, self.used, np.zeros(self.count)
        change = self.change()
        blocks = [self.ball(), *self.layers(change), *self.phases()]
        program = Program(
            self.columns,
            np.concatenate([self.low, bounds.lower[used], none, none]),
            np.concatenate([self.high, bounds.upper[used], bounds.upper[unstable], none + 1.0]),
            np.arange(self.columns) >= self.columns - self.count,
            sp.csr_array(sp.vstack([rows for rows, _, _ in blocks], format="csr")),
            np.concatenate([lower for _, lower, _ in blocks]),
            np.concatenate([upper for _, _, upper in blocks]),
        )
        size = power_of_two(np.maximum(np.abs(bounds.lower), np.abs(bounds.upper)))
        units = np.concatenate([np.ones(first), size[used], size[unstable], none + 1.0])
        cost = np.append(self.cost, np.zeros(self.columns - first))
        return Model(program, cost, change, units)

    def layers(self, change: sp.csr_array) -> Iterator[Block]:
        """Every pre-activation in use, and the condition on the outputs."""
        form, condition = self.question.form, self.question.condition
        sources: list[tuple[sp.csr_array, Array]] = [
            (change, np.asarray(self.question.ball.centre))
        ]
        start = 0
        for layer in (*form.hidden, form.output):
            matrix = sp.csr_array((layer.outputs, self.columns))
            constant = np.array(layer.bias, dtype=np.float64)
            for source, weight in zip(layer.sources, layer.weights, strict=True):
                matrix = matrix + sp.csr_array(weight) @ sources[source][0]
                constant = constant + weight @ sources[source][1]
            if layer is form.output:
                least = condition.rhs - condition.matrix @ constant
                rows = sp.csr_array(sp.csr_array(condition.matrix) @ matrix)
                yield rows, least, np.full(least.size, inf)
                return
            here = slice(start, start + layer.outputs)
            start += layer.outputs
            kept, pre = np.flatnonzero(self.used[here]), self.pre[here]
            rows = matrix[kept] - self.ones(np.arange(kept.size), pre[kept], kept.size)
            yield sp.csr_array(rows), -constant[kept], -constant[kept]
            # An active neuron's pre-activation is its activation; an inactive one's is nothing.
            column = np.where(self.bounds.unstable[here], self.activation[here], pre)
            sources.append((self.ones(kept, column[kept], layer.outputs), np.zeros(layer.outputs)))

    def phases(self) -> Iterator[Block]:
        """``h >= z``, ``h <= upper a`` and ``h <= z - lower (1 - a)`` of every unstable neuron."""
        which, each = np.flatnonzero(self.bounds.unstable), np.arange(self.count)
        z, h, a = (
            self.ones(each, places[which], self.count)
            for places in (self.pre, self.activation, self.binary)
        )
        least, most = self.bounds.lower[which], self.bounds.upper[which]
        nothing, zero = np.full(self.count, -inf), np.zeros(self.count)
        yield h - z, zero, -nothing
        yield h - sp.diags_array(most) @ a, nothing, zero
        yield h - z - sp.diags_array(least) @ a, nothing, -least


class _L1(_Builder):
    """A rise and a fall of each input."""

    def inputs(self) -> tuple[Array, Array, Array]:
        self.rises, self.falls = np.flatnonzero(self.rise > 0.0), np.flatnonzero(self.fall > 0.0)
        high = np.concatenate([self.rise[self.rises], self.fall[self.falls]])
        return np.zeros(high.size), high, np.ones(high.size)

    def change(self) -> sp.csr_array:
        rows, count = np.concatenate([self.rises, self.falls]), self.question.form.inputs
        sign = np.append(np.ones(self.rises.size), -np.ones(self.falls.size))
        return self.ones(rows, np.arange(rows.size), count) @ sp.diags_array(
            np.append(sign, np.ones(self.columns - sign.size))
        )

    def ball(self) -> Block:
        row = np.append(self.cost, np.zeros(self.columns - self.cost.size))
        return sp.csr_array(row[None]), np.full(1, -inf), np.full(1, self.bounds.radius)


class _LInf(_Builder):
    """The change of each input, and the distance."""

    def inputs(self) -> tuple[Array, Array, Array]:
        self.free = np.flatnonzero((self.rise > 0.0) | (self.fall > 0.0))
        low, high = -self.fall[self.free], self.rise[self.free]
        cost = np.append(np.zeros(self.free.size), 1.0)
        return np.append(low, 0.0), np.append(high, self.bounds.radius), cost

    def change(self) -> sp.csr_array:
        return self.ones(self.free, np.arange(self.free.size), self.question.form.inputs)

    def ball(self) -> Block:
        sides = []
        for sign, room in ((1.0, self.rise[self.free]), (-1.0, self.fall[self.free])):
            here = np.flatnonzero(room > 0.0)
            rows, distance = np.arange(here.size), np.full(here.size, self.free.size)
            change = self.ones(rows, here, here.size, sign)
            sides.append(change - self.ones(rows, distance, here.size))
        matrix = sp.csr_array(sp.vstack(sides, format="csr"))
        return matrix, np.full(matrix.shape[0], -inf), np.zeros(matrix.shape[0])


def scaled(program: Program, by: Array) -> Program:
    """The same with each column in units of ``by`` and each row's largest coefficient near 1.

    HiGHS's tolerances are absolute; a ReLU of what is small is small. Powers of two: exact.
    """
    matrix = sp.csr_array(program.matrix @ sp.diags_array(by))
    rows = 1.0 / power_of_two(np.abs(matrix).max(axis=1).toarray().reshape(-1))
    return replace(
        program,
        lower=program.lower / by,
        upper=program.upper / by,
        matrix=sp.csr_array(sp.diags_array(rows) @ matrix),
        row_lower=program.row_lower * rows,
        row_upper=program.row_upper * rows,
    )


def power_of_two(values: Array) -> Array:
    """The power of two just above each value; 1 for 0."""
    return np.asarray(np.ldexp(1.0, np.frexp(np.where(values > 0.0, values, 0.5))[1]))
