"""Multipliers by linear programming: the best form that the triangle relaxation allows.

The least distance over the triangle relaxation of a node is a linear program; its duals are the
best alpha, beta and mix of :mod:`marapatch.bounds.nodes` for the node's bounds. For L1 this is
where supergradient steps are slow, and the program is small: no row a coordinate is needed. What
is returned are multipliers only; the bound they prove is computed elsewhere, rounded outward.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from marapatch.ball import Ball
from marapatch.bounds.nodes import Nodes
from marapatch.bounds.relaxation import relax
from marapatch.linear_program import LinearProgram
from marapatch.network.layers import Array
from marapatch.network.standard_form import StandardForm
from marapatch.properties import OutputCondition


@dataclass(frozen=True, eq=False)
class Proposal:
    """Multipliers for one node, and the relaxation's nearest point (inputs,)."""

    nodes: Nodes
    point: Array


class TriangleProgram:
    """``min |d|_1`` over the triangle relaxation of one node after the other, kept warm.

    Columns: p, m >= 0 with d = p - m; then z and a of all ReLU neurons. Rows: what z is; a >= z;
    a <= chord of z; the condition on the outputs.
    """

    def __init__(self, form: StandardForm, ball: Ball, condition: OutputCondition) -> None:
        self.ball = ball
        down, up = ball.at(np.inf).reach
        self.rises, self.falls = np.flatnonzero(up > 0.0), np.flatnonzero(down > 0.0)
        self.hidden = sum(layer.outputs for layer in form.hidden)
        self.inputs = self.rises.size + self.falls.size
        ends = np.cumsum([0, *(layer.outputs for layer in form.hidden)])
        pieces, constants = [], []
        for layer in (*form.hidden, form.output):
            row = sp.csr_array((layer.outputs, self.inputs + 2 * self.hidden))
            constant = np.array(layer.bias)
            for source, weight in zip(layer.sources, layer.weights, strict=True):
                if source == 0:
                    matrix = sp.csr_array(weight)
                    part = sp.hstack([matrix[:, self.rises], -matrix[:, self.falls]])
                    constant = constant + weight @ ball.centre
                    offset = 0
                else:
                    part, offset = (
                        sp.csr_array(weight),
                        self.inputs + self.hidden + ends[source - 1],
                    )
                row = row + _placed(part, offset, row.shape[1])
            pieces.append(row)
            constants.append(constant)
        eye = sp.eye_array(self.hidden, format="csr")
        z = _placed(eye, self.inputs, self.inputs + 2 * self.hidden)
        a = _placed(eye, self.inputs + self.hidden, self.inputs + 2 * self.hidden)
        affine = sp.vstack(pieces[:-1])
        output = sp.csr_array(condition.matrix) @ pieces[-1]
        size = np.maximum(abs(output).max(axis=1).toarray().ravel(), 1e-12)
        self.scale = size
        wanted = (condition.rhs - condition.matrix @ constants[-1]) / size
        matrix = sp.vstack([z - affine, a - z, a - z, sp.diags_array(1.0 / size) @ output])
        known = np.concatenate(constants[:-1])
        n, infinite = self.hidden, np.full(self.hidden, np.inf)
        self.row_low = np.concatenate([known, np.zeros(n), -infinite, wanted])
        self.row_high = np.concatenate([known, infinite, np.zeros(n), np.full(size.size, np.inf)])
        self.parts = np.concatenate([up[self.rises], down[self.falls]])
        cost = np.append(np.ones(self.inputs), np.zeros(2 * n))
        free = np.full(n, np.inf)
        low = np.concatenate([np.zeros(self.inputs), -free, np.zeros(n)])
        self.program = LinearProgram(
            matrix,
            (self.row_low, self.row_high),
            (low, np.concatenate([self.parts, free, free])),
            cost,
        )
        self.slopes = np.ones(n)
        self.rooted = False

    def propose(self, nodes: Nodes, index: int, timeout: float) -> Proposal | None:
        """The best multipliers of node ``index``; None where the program has no solution in time.

        No solution: the node is empty, or too far for the ball's box.
        """
        lower, upper, phases = nodes.lower[index], nodes.upper[index], nodes.phases[index]
        line = relax(lower[None], upper[None])
        slope, intercept = line.upper_slope[0], line.upper_intercept[0]
        n, first = self.hidden, self.hidden * 2
        for j in np.flatnonzero(slope != self.slopes):
            self.program.change(first + int(j), self.inputs + int(j), -float(slope[j]))
        self.slopes = slope.copy()
        z_low = np.where(phases > 0, 0.0, -np.inf)
        z_high = np.where(phases < 0, 0.0, np.inf)
        inactive = upper <= 0.0
        a_high = np.where(inactive, 0.0, np.inf)
        # An inactive neuron's rows say nothing: a is 0, and z is free on its side.
        tied = np.where(inactive, -np.inf, 0.0)
        low = np.concatenate([self.row_low[:n], tied, self.row_low[2 * n :]])
        above = np.where(inactive, np.inf, intercept)
        high = np.concatenate([self.row_high[: 2 * n], above, self.row_high[3 * n :]])
        self.program.bound_rows(low, high)
        zeros = np.zeros(self.inputs)
        self.program.bound(
            np.concatenate([zeros, z_low, np.zeros(n)]),
            np.concatenate([self.parts, z_high, a_high]),
        )
        self.program.restore()  # nearer than the basis of the node solved before
        solution = self.program.solve(timeout)
        if solution is None:
            return None
        if not self.rooted:
            self.rooted = True
            self.program.remember()
        duals, reduced = solution.row_duals, solution.reduced_costs
        mix = np.maximum(duals[3 * n :], 0.0) / self.scale
        total = mix.sum()
        if not total > 0.0:
            return None
        tie = np.abs(duals[n : 2 * n])
        floor = np.maximum(reduced[self.inputs + n :], 0.0)
        alpha = np.where(tie + floor > 0.0, tie / np.maximum(tie + floor, 1e-300), 0.0)
        beta = np.abs(reduced[self.inputs : self.inputs + n]) * (phases != 0) / total
        proposed = replace(
            nodes.take(np.array([index])),
            alpha=alpha[None],
            beta=beta[None],
            mix=(mix / total)[None],
        )
        change = np.zeros(self.ball.centre.size)
        change[self.rises] += solution.values[: self.rises.size]
        change[self.falls] -= solution.values[self.rises.size : self.inputs]
        return Proposal(proposed, self.ball.centre + change)


def _placed(part: sp.csr_array, offset: int, width: int) -> sp.csr_array:
    """``part`` as columns ``offset`` .. of a matrix of ``width`` columns."""
    part = sp.csr_array(part)
    return sp.csr_array(
        (part.data, part.indices + offset, part.indptr), shape=(part.shape[0], width)
    )
