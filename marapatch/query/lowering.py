"""From a question at a radius to a normalised query (ARCHITECTURE: 6.1).

Variables are the scaled perturbation u = (x - centre) / radius in [-1, 1] and, a neuron that can
be on either side of 0, its scaled input and output. Constants and stable neurons are substituted
away. What would still be narrow is replaced by its linear phase plus an error interval carried
into the rows: an over-approximation, so the query keeps ``unsat`` (and a ``sat`` is replayed).

Shapes: E entries of a vector (inputs, neurons of a layer, outputs), C columns of the query so far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from marapatch.arithmetic.float_model import SMALL, gamma
from marapatch.bounds.bounds import Bounds
from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.norm import Norm
from marapatch.query.query import Assignment, Query
from marapatch_encodings.l1_ball import L1Form, l1_ball
from marapatch_encodings.terms import Constraint, Relu, Sense, Variable, VariablePool, dense_row

NARROW = 1e-3
"""A scaled range below this is replaced by an error interval: Marabou fixes ranges below 1e-5,
also those that arise by its own tightening, to their middle and then answers a wrong ``unsat``."""

RELAXATION = 1e-6
"""rho: by how much the output condition is relaxed, relative to the largest coefficient of its
row over scaled variables. Chosen with :data:`SHRINKAGE` by benchmarks/suites/soundness.py."""

SHRINKAGE = 1e-6
"""kappa: an ``unsat`` at radius r supports the claim r (1 - kappa) and no more."""

WIDENING = 1e-7
"""Bounds of scaled neurons are widened by this, so that a solver's tolerance cannot cut them."""

SETTLED = 1e-8
"""A scaled pre-activation known up to this is posed by one equality, its error carried on in the
neuron's output: rounding makes no value exact, and two inequalities hide layers from Marabou."""


@dataclass(frozen=True, eq=False)
class Lowered:
    """A query, and how an assignment of it becomes an input of the network."""

    query: Query
    relus: int
    decode: Callable[[Assignment], Array]


@dataclass(frozen=True, eq=False)
class _Values:
    """Vectors as affine forms over the query's columns with an error interval each.

    ``matrix`` (entries, columns so far), ``low`` and ``high`` (entries,): constant plus error.
    """

    matrix: Array
    low: Array
    high: Array

    def through(self, weight: object, columns: int) -> _Values:
        matrix = np.zeros((weight.shape[0], columns))  # type: ignore[attr-defined]  # Matrix is Any
        matrix[:, : self.matrix.shape[1]] = weight @ self.matrix  # type: ignore[operator]
        # W [a, b] = W m + |W| [-h, h]. What rounding loses here ``widened`` adds.
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        centre, spread = weight @ middle, abs(weight) @ half  # type: ignore[operator, arg-type]
        return _Values(matrix, centre - spread, centre + spread)

    def plus(self, other: _Values) -> _Values:
        return _Values(self.matrix + other.matrix, self.low + other.low, self.high + other.high)

    @property
    def size(self) -> Array:
        """A bound on |entry|, whatever the columns, which lie in [-1, 1] but for the widening."""
        columns = np.abs(self.matrix).sum(axis=1) * (1.0 + 2.0 * WIDENING)
        return np.asarray(columns + np.maximum(np.abs(self.low), np.abs(self.high)))

    def widened(self, error: Array) -> _Values:
        return _Values(self.matrix, self.low - error, self.high + error)

    def take(self, keep: NDArray[np.bool_]) -> _Values:
        """Entries not kept become 0."""
        return _Values(self.matrix * keep[:, None], self.low * keep, self.high * keep)


def lower(
    form: StandardForm,
    bounds: Bounds,
    ball: Ball,
    condition: OutputCondition,
    l1_form: L1Form = "split",
    phases: Sequence[NDArray[np.int8]] | None = None,
    relaxation: float = RELAXATION,
) -> Lowered:
    """The query "is there an input of ``ball`` that meets ``condition``?", relaxed by rho.

    ``bounds`` must hold on ``ball`` (:class:`~marapatch.errors.ScopeError` otherwise).
    ``phases``: per ReLU layer, +1 or -1 where the phase of a neuron is prescribed (``bounds`` may
    rely on that), 0 elsewhere. ``relaxation``: rho >= 0. Over-approximates: ``unsat`` says that
    no input of the ball meets the condition (and the phases), ``sat`` says nothing until the
    decoded input was replayed.
    """
    bounds.require(ball)
    return _Lowering(form, bounds, ball, l1_form, phases, relaxation).build(condition)


class _Lowering:
    def __init__(
        self,
        form: StandardForm,
        bounds: Bounds,
        ball: Ball,
        l1_form: L1Form,
        phases: Sequence[NDArray[np.int8]] | None,
        relaxation: float,
    ) -> None:
        self.form, self.bounds, self.ball, self.phases = form, bounds, ball, phases
        self.relaxation = relaxation
        self.pool = VariablePool()
        self.constraints: list[Constraint] = []
        self.columns: list[Variable] = []
        self.relus = 0
        self.values = [self._input(l1_form)]

    def build(self, condition: OutputCondition) -> Lowered:
        for k, layer in enumerate(self.form.hidden):
            self.values.append(self._relu(k, self._apply(layer)))
        y = self._apply(self.form.output)
        rounding = gamma(2 * y.low.size + 16) * (np.abs(condition.matrix) @ y.size)
        rounding += SMALL * (2.0 + len(self.columns) + np.abs(condition.matrix).sum(axis=1))
        outputs = y.through(condition.matrix, len(self.columns)).widened(rounding)
        for i, rhs in enumerate(condition.rhs):
            # A row of hardly any coefficients is not blown up: rho only gives away more.
            scale = max(np.abs(outputs.matrix[i]).max(initial=0.0), 1e-6)
            # C y is row . columns + e with e <= high: who meets C y >= rhs meets row . columns >=
            # rhs - high, so that no input is lost.
            bound = float((rhs - outputs.high[i]) / scale) - self.relaxation
            self._add(self.columns, outputs.matrix[i] / scale, ">=", bound)
        query = Query.of(self.pool, self.constraints)
        matrix, constant = self.values[0].matrix, self.values[0].low
        middle = (constant + self.values[0].high) / 2
        chosen = np.array(self.columns[: matrix.shape[1]], dtype=np.int64)

        def decode(assignment: Assignment) -> Array:
            return np.asarray(matrix @ assignment[chosen] + middle)

        return Lowered(query, self.relus, decode)

    def _add(
        self, variables: Sequence[Variable], coefficients: Array, sense: Sense, rhs: float
    ) -> None:
        """A row over the first of ``variables``, as many as there are coefficients.

        One whose numbers overflow float64 is left out: that only enlarges the set that is asked
        about, so ``unsat`` stays right.
        """
        if not (np.isfinite(coefficients).all() and isfinite(rhs)):
            return
        columns = np.array(variables[: coefficients.size], dtype=np.int64)
        self.constraints.append(dense_row(columns, coefficients, sense, rhs))

    def _input(self, l1_form: L1Form) -> _Values:
        """The input as centre + radius * (columns), its narrow entries as error intervals."""
        radius = self.ball.radius
        down, up = self.ball.displacement_bounds
        # Where an entry may move that little, the L1 ball's row need not know of it: as an error
        # interval it only adds to what is asked about.
        falls, rises = down > NARROW * radius, up > NARROW * radius
        low = self.ball.centre - np.where(falls, 0.0, down)
        high = self.ball.centre + np.where(rises, 0.0, up)
        wide = np.flatnonzero(falls | rises)
        down = np.where(falls, down, 0.0)[wide] / max(radius, 1e-300)
        up = np.where(rises, up, 0.0)[wide] / max(radius, 1e-300)
        if self.ball.norm is Norm.L1 and l1_form == "split":
            return self._split_input(wide, down, up, low, high)
        self.columns += self.pool.fresh_many("u", -down, up)
        matrix = np.zeros((self.ball.centre.size, wide.size))
        matrix[wide, np.arange(wide.size)] = radius
        if self.ball.norm is Norm.L1:
            self.constraints += l1_ball(self.pool, self.columns, 1.0, l1_form).constraints
        return _Values(matrix, low, high)

    def _split_input(
        self, wide: NDArray[np.int64], down: Array, up: Array, low: Array, high: Array
    ) -> _Values:
        """d = p - m with p, m >= 0 substituted away: the L1 ball is one row over p and m."""
        rises, falls = np.flatnonzero(up > 0.0), np.flatnonzero(down > 0.0)
        self.columns += self.pool.fresh_many("p", np.zeros(rises.size), up[rises])
        self.columns += self.pool.fresh_many("m", np.zeros(falls.size), down[falls])
        matrix = np.zeros((self.ball.centre.size, len(self.columns)))
        matrix[wide[rises], np.arange(rises.size)] = self.ball.radius
        matrix[wide[falls], rises.size + np.arange(falls.size)] = -self.ball.radius
        # Of all p, m >= 0 with p - m = d the least sum is |d|: some of them meet the row exactly
        # where d is in the ball.
        self._add(self.columns, np.ones(len(self.columns)), "<=", 1.0)
        return _Values(matrix, low, high)

    def _apply(self, layer: AffineMap) -> _Values:
        columns = len(self.columns)
        total = _Values(np.zeros((layer.outputs, columns)), layer.bias, layer.bias)
        for source, weight in zip(layer.sources, layer.weights, strict=True):
            total = total.plus(self.values[source].through(weight, columns))
        size, inexact = layer.magnitude([values.size for values in self.values])
        # A coefficient that underflows, of a column in [-1, 1], is wrong by 2^-1075 a term, and so
        # is the half of an error interval, which a weight multiplies.
        underflown = SMALL * (2.0 + columns + layer.row_sums) * (size > 0.0)
        return total.widened(gamma(2 * layer.terms + 16) * size + inexact + underflown)

    def _relu(self, k: int, z: _Values) -> _Values:
        """The outputs of ReLU layer ``k``: substituted, widened to an interval, or a variable."""
        low, high = self.bounds.lower[k], self.bounds.upper[k]
        extent = np.maximum(np.maximum(-low, high), 1e-300)
        narrow = NARROW * extent
        unstable = (low < -narrow) & (high > narrow)
        active = ~unstable & (high > -low)
        straight = z.take(active)
        # relu(z) - z = max(-z, 0) <= -low, and relu(z) <= high: replaced by its linear piece, a
        # ReLU is off by no more, and to one side only.
        slack = np.where(unstable, 0.0, np.where(active, np.maximum(-low, 0), np.maximum(high, 0)))
        base = _Values(straight.matrix, straight.low, straight.high + slack)
        if self.phases is not None:
            self._prescribe(z, self.phases[k])
        chosen = np.flatnonzero(unstable)
        before = len(self.columns)
        for j in chosen:
            self._unstable(z, int(j), k, float(low[j]), float(high[j]), float(extent[j]), before)
        matrix = np.zeros((low.size, len(self.columns)))
        matrix[:, :before] = base.matrix
        matrix[chosen, before + np.arange(chosen.size)] = extent[chosen]
        spread = z.high - z.low
        # The equality sets b to the middle of the spread. ReLU moves by no more than its input, so
        # f is off by half of it at most.
        error = np.where(unstable & (spread <= SETTLED * extent), spread, 0.0)
        return _Values(matrix, base.low, base.high).widened(error)

    def _prescribe(self, z: _Values, phases: NDArray[np.int8]) -> None:
        """Rows that say ``phase * z >= 0``, relaxed like the condition."""
        for j in np.flatnonzero(phases):
            sign = float(phases[j])
            scale = max(np.abs(z.matrix[j]).max(initial=0.0), 1e-6)
            # The largest error that sign * z may have beside its columns: the row asks for no more
            # than the phase says.
            most = float(z.high[j] if sign > 0.0 else -z.low[j])
            row = sign * z.matrix[j] / scale
            self._add(self.columns, row, ">=", -most / scale - self.relaxation)

    def _unstable(
        self, z: _Values, j: int, k: int, low: float, high: float, extent: float, before: int
    ) -> None:
        """Variables b = z / extent and f = relu(b), and the rows that say so.

        Where one equality does, b is z / extent only up to its error, and so is f.
        """
        a, c = low / extent - WIDENING, high / extent + WIDENING
        b = self.pool.fresh(f"z{k + 1}[{j}]", a, c)
        f = self.pool.fresh(f"a{k + 1}[{j}]", 0.0, c)
        row = np.append(-z.matrix[j, :before] / extent, 1.0)
        variables: Sequence[Variable] = [*self.columns[:before], b]
        least, most = float(z.low[j] / extent), float(z.high[j] / extent)
        if z.high[j] - z.low[j] <= SETTLED * extent:
            self._add(variables, row, "=", (least + most) / 2)
        else:
            self._add(variables, row, ">=", least)
            self._add(variables, row, "<=", most)
        self.constraints.append(Relu(b, f))
        self.columns.append(f)
        self.relus += 1
