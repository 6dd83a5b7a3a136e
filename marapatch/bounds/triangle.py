"""Multipliers by linear programming: the best form that the triangle relaxation allows.

Over the triangle relaxation of a node, the least distance (L1) or the largest slack of the
condition within the ball (L-infinity) is a linear program; its duals are the best alpha, beta and
row multipliers of :mod:`marapatch.bounds.subproblems` for the node's bounds. Supergradient steps
come near them in less time, but not to the last digits, which count near the optimum; for L1 the
program is small, no row a coordinate being needed. What is returned are multipliers only; the bound
they prove is computed elsewhere, rounded outward.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from marapatch.bounds.displacement import displacement
from marapatch.bounds.nodes import Nodes
from marapatch.linear_programs.warm import LinearProgram
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition

STEEPEST = 1e4
"""Chords steeper than this are flattened, which lifts them by less than 1e-4 of the upper end:
their coefficients would be too large for the solver."""

SLACK = 1e6
"""Stands for no bound on the slack; the rows of the condition are scaled to 1."""


@dataclass(frozen=True, eq=False)
class TriangleMultipliers:
    """Multipliers for one node and, unless its phases alone are refuted, the relaxation's best
    point (inputs,) and the basis there, from which the node's children start."""

    nodes: Nodes
    point: Array | None
    basis: Any


class TriangleProgram:
    """The triangle relaxation of one node after the other, kept warm.

    Columns: the change of the input (L1: p, m >= 0 with d = p - m; L-infinity: d and the slack);
    then a = relu(z) and t = relu(-z) of all ReLU neurons. Rows: a - t is what z is; a + slope t is
    at most the upper end of z (the chord); the condition on the outputs.
    """

    def __init__(self, form: StandardForm, ball: Ball, condition: OutputCondition) -> None:
        self.ball = ball
        self.hidden = sum(layer.outputs for layer in form.hidden)
        self.displacement = displacement(ball)
        # The distance is minimised where it is linear; else the slack is maximised at the radius.
        self.slack = not self.displacement.linear
        self.inputs = self.displacement.columns + self.slack
        pieces, constants = self._affine(form)
        # z = a - t with a = relu(z), t = relu(-z) makes phases bounds of columns: fixed active is t
        # = 0, inactive a = 0. So a node changes bounds and chords only, and the program stays warm.
        eye = sp.eye_array(self.hidden, format="csr")
        width = self.inputs + 2 * self.hidden
        a, t = _placed(eye, self.inputs, width), _placed(eye, self.inputs + self.hidden, width)
        output = sp.csr_array(condition.matrix) @ pieces[-1]
        # Rows of very different size would decide which is met by the solver's tolerance.
        self.scale = np.maximum(abs(output).max(axis=1).toarray().ravel(), 1e-12)
        wanted = (condition.rhs - condition.matrix @ constants[-1]) / self.scale
        output = sp.diags_array(1.0 / self.scale) @ output
        if self.slack:
            slack = sp.csr_array(np.ones((wanted.size, 1)))
            output = output - _placed(slack, self.inputs - 1, width)
        self.matrix = sp.csc_array(sp.vstack([a - t - sp.vstack(pieces[:-1]), a + t, output]))
        known = np.concatenate(constants[:-1])
        self.row_low = np.concatenate([known, np.full(self.hidden, -np.inf), wanted])
        self.row_high = np.concatenate([known, np.full(self.hidden + wanted.size, np.inf)])
        cost = np.zeros(width)
        cost[: self.inputs] = 0.0 if self.slack else 1.0
        if self.slack:
            cost[self.inputs - 1] = -1.0
        low, high = self._changes(ball)
        n = self.hidden
        self.program = LinearProgram(
            self.matrix,
            (self.row_low, self.row_high),
            (np.append(low, np.zeros(2 * n)), np.append(high, np.full(2 * n, np.inf))),
            cost,
            scaled=False,
        )
        self.slopes = np.ones(n)
        self.root: Any = None

    def _affine(self, form: StandardForm) -> tuple[list[sp.csr_array], list[Array]]:
        """By layer, the coefficients of all columns and the constant."""
        ends = np.cumsum([0, *(layer.outputs for layer in form.hidden)])
        pieces, constants = [], []
        for layer in (*form.hidden, form.output):
            row = sp.csr_array((layer.outputs, self.inputs + 2 * self.hidden))
            constant = np.array(layer.bias)
            for source, weight in zip(layer.sources, layer.weights, strict=True):
                part, offset = sp.csr_array(weight), 0
                if source > 0:
                    offset = self.inputs + int(ends[source - 1])
                else:
                    constant = constant + weight @ self.ball.centre
                    part = self.displacement.coefficients(part)
                row = row + _placed(part, offset, row.shape[1])
            pieces.append(row)
            constants.append(constant)
        return pieces, constants

    def _changes(self, ball: Ball) -> tuple[Array, Array]:
        """Bounds of the columns of the change, and of the slack where there is one."""
        if self.slack:
            low, high = self.displacement.bounds(*ball.displacement_bounds)
            return np.append(low, -SLACK), np.append(high, SLACK)
        return self.displacement.bounds(*ball.with_radius(np.inf).displacement_bounds)

    def multipliers(
        self, nodes: Nodes, index: int, ball: Ball, timeout: float, basis: Any = None
    ) -> TriangleMultipliers | None:
        """The best multipliers of node ``index``; None where there are none in time.

        ``ball``: may be smaller than at first. ``basis``: where to start; of the root if None.
        """
        self._load(nodes, index, ball)
        basis = self.root if basis is None else basis
        if basis is not None:  # nearer than the basis of the node solved before
            self.program.start_from(basis)
        # Nothing is believed of the solution but the signs of its duals, which are clipped.
        solution = self.program.solve(timeout)
        if solution is None:
            ray = self.program.ray()
            return None if ray is None else self._refutation(nodes, index, ray)
        basis = self.program.basis()
        if self.root is None:
            self.root = basis
        proposed = self._multiplied(nodes, index, solution.row_duals, solution.reduced_costs)
        if (
            proposed is None or not proposed.row_multipliers.any()
        ):  # a cut must say something of the condition
            return None
        change = self.displacement.change(solution.values[: self.displacement.columns])
        return TriangleMultipliers(proposed, ball.centre + change, basis)

    def _load(self, nodes: Nodes, index: int, ball: Ball) -> None:
        """Make the program that of node ``index``."""
        lower, upper, phases = nodes.lower[index], nodes.upper[index], nodes.phases[index]
        inactive, active = upper <= 0.0, lower >= 0.0
        unstable = ~(inactive | active)
        n, width = self.hidden, self.inputs + self.hidden
        # The chord u (z - l) / (u - l) >= a, in a and t: a + (u / -l) t <= u.
        slope = np.where(unstable, upper / np.where(unstable, -lower, 1.0), self.slopes)
        slope = np.minimum(slope, STEEPEST)
        for j in np.flatnonzero(slope != self.slopes):
            self.program.change(n + int(j), width + int(j), float(slope[j]))
        self.slopes = slope
        high = self.row_high.copy()
        high[n : 2 * n] = np.where(unstable, upper, np.inf)
        self.program.bound_rows(self.row_low, high)
        # What is on its side by its bounds alone, not by a phase, has no dual value there.
        change = self._changes(ball)
        # For a >= 0 to be implied by the bounds, and not by a split, its dual value has to be 0,
        # since no multiplier stands for it: so the bound is not there.
        a_low = np.where(active & (phases == 0), -np.inf, 0.0)
        t_low = np.where(inactive & (phases == 0), -np.inf, 0.0)
        self.program.bound(
            np.concatenate([change[0], a_low, t_low]),
            np.concatenate(
                [change[1], np.where(inactive, 0.0, np.inf), np.where(active, 0.0, np.inf)]
            ),
        )

    def _refutation(self, nodes: Nodes, index: int, ray: Array) -> TriangleMultipliers | None:
        """Multipliers that prove the node empty: those of ``ray``, in the sign that is theirs."""
        n = self.hidden
        reduced = -(self.matrix.T @ ray)
        reduced[self.inputs + n :] -= (self.slopes - 1.0) * ray[n : 2 * n]
        # What binds from one side only has a dual value of one sign.
        phases, unstable = nodes.phases[index], nodes.take(np.array([index])).unstable[0]
        rise, fall = reduced[self.inputs : self.inputs + n], reduced[self.inputs + n :]
        one_sided = rise @ (unstable | (phases > 0)) + fall @ (unstable | (phases < 0))
        # A ray is known up to its sign only; the one is taken whose one-sided duals are >= 0.
        sign = 1.0 if one_sided + ray[2 * n :].sum() >= ray[n : 2 * n].sum() else -1.0
        proposed = self._multiplied(nodes, index, sign * ray, sign * reduced)
        return None if proposed is None else TriangleMultipliers(proposed, None, None)

    def _multiplied(self, nodes: Nodes, index: int, duals: Array, reduced: Array) -> Nodes | None:
        """The multipliers that dual values of rows and columns stand for, scaled to row multipliers
        of sum 1 (or to a beta of 1, where the phases alone are refuted); None where all of them are
        0."""
        n = self.hidden
        row_multipliers = np.maximum(duals[2 * n :], 0.0) / self.scale
        floor = np.maximum(reduced[self.inputs : self.inputs + n], 0.0)
        tie = np.maximum(reduced[self.inputs + n :], 0.0)
        # Of the duals of a >= 0 and t >= 0 the share of the latter is the slope of the lower line:
        # 0 where a >= 0 binds, 1 where a >= z does.
        alpha = np.where(tie + floor > 0.0, tie / np.maximum(tie + floor, 1e-300), 0.0)
        phases = nodes.phases[index]
        beta = np.where(phases > 0, floor, np.where(phases < 0, tie, 0.0))
        total = float(row_multipliers.sum() or beta.sum())
        if not total > 0.0:
            return None
        return replace(
            nodes.take(np.array([index])),
            alpha=alpha[None],
            beta=(beta / total)[None],
            row_multipliers=(row_multipliers / total)[None],
        )


def _placed(part: sp.csr_array, offset: int, width: int) -> sp.csr_array:
    """``part`` as columns ``offset`` .. of a matrix of ``width`` columns."""
    part = sp.csr_array(part)
    return sp.csr_array(
        (part.data, part.indices + offset, part.indptr), shape=(part.shape[0], width)
    )
