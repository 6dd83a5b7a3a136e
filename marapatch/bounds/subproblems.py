"""Bounding many sub-problems at once: phase splits, their multipliers, and the multipliers of the
property's rows.

A node fixes the phase of some neurons. Over the inputs of a ball that have these phases, and for
any lower slopes alpha in [0, 1], split multipliers beta >= 0 and row multipliers lambda >= 0 of the
condition's rows,

    -lambda . (C y - d)  -  beta . (sign * z)   >=   a . x + c        (backward substitution)

and where the right side is > 0 over the ball, no input of the node meets the condition: every
choice of the multipliers gives a proof, better ones are found by supergradient steps. Source:
Wang et al., "Beta-CROWN", sections 3.1 to 3.3; Bunel et al., "Branch and Bound for Piecewise
Linear Neural Network Verification".
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from marapatch.arithmetic.float_model import SMALL, gamma
from marapatch.bounds.backward import BackwardPass, InputForm, Relaxation, relax
from marapatch.bounds.bounds import Bounds
from marapatch.bounds.concretise import concretiser_of
from marapatch.bounds.crown import magnitudes
from marapatch.bounds.dual_ascent import DualAscent
from marapatch.bounds.nodes import Bounded, Nodes
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition

BLOCK_ENTRIES = 2_000_000
"""Entries of the largest array of one backward pass over many neurons."""

CUT_STEPS = 4
"""Dual values tried for the condition's own cut when a pre-activation is bounded."""


class NodeBounder:
    """Bounds nodes of one question over one ball (its radius may shrink: :meth:`at`)."""

    def __init__(self, form: StandardForm, root: Bounds, condition: OutputCondition) -> None:
        self.form, self.condition = form, condition
        # Rounding is measured over the root: nodes are parts of it, so what holds there holds in
        # them.
        self.passes = BackwardPass(form, magnitudes(root))
        output = np.maximum(np.abs(root.output[0]), np.abs(root.output[1]))
        self.row_size = np.abs(condition.matrix) @ output + np.abs(condition.rhs) + SMALL
        self.underflown = SMALL * (2.0 + float(output.sum()))
        self.ball: Ball = root.ball
        self.concretiser = concretiser_of(root.ball)
        self.block = max(1, BLOCK_ENTRIES // max(form.sizes))
        self.spans = form.spans
        self.layer_of = np.repeat(np.arange(len(form.hidden)), [h.outputs for h in form.hidden])

    def shrink(self, radius: float) -> None:
        """From now on only inputs within ``radius`` matter (never more than before)."""
        self.ball = self.ball.with_radius(min(radius, self.ball.radius))
        self.concretiser = concretiser_of(self.ball)

    def root(self, bounds: Bounds) -> Nodes:
        """The whole problem as one node."""
        none = np.zeros(0)  # a linear network has no ReLU layer
        lower = np.concatenate([none, *bounds.lower])[None]
        upper = np.concatenate([none, *bounds.upper])[None]
        rows = self.condition.rhs.size
        return Nodes(
            lower,
            upper,
            np.zeros(lower.shape, np.int8),
            (upper > -lower).astype(np.float64),
            np.zeros(lower.shape),
            np.full((1, rows), 1.0 / rows),
            np.zeros((1, self.form.inputs)),
            np.zeros(1),
        )

    def relaxations(self, nodes: Nodes, alpha: Array | None) -> list[Relaxation]:
        """The relaxations of all layers."""
        return [
            relax(nodes.lower[:, s], nodes.upper[:, s], None if alpha is None else alpha[:, s])
            for s in self.spans
        ]

    def tighten(
        self, nodes: Nodes, after: NDArray[np.int64] | None = None, until: float = inf
    ) -> Nodes:
        """Bound anew, with the phases in mind, what is unstable in layers behind ``after``.

        ``after``: by node, the layer (counted from 0) of its newest phase; None: all layers.
        ``until``: when the monotonic clock says so, what is left keeps the bounds it has.
        """
        lower, upper = nodes.lower.copy(), nodes.upper.copy()
        relaxations: list[Relaxation] = []
        for k, span in enumerate(self.spans):
            stale = (lower[:, span] < 0.0) & (upper[:, span] > 0.0)
            if after is not None:
                # A layer before the newest split is bounded no better by it but through the cut;
                # the first is the input itself, where the cut says most and a bound costs one
                # knapsack.
                stale &= (after < k)[:, None] | (k == 0)
            node, neuron = np.nonzero(stale)
            for part in range(0, node.size, self.block):
                if monotonic() > until:
                    break
                at = slice(part, part + self.block)
                # Both ends of few neurons of each node: pairs (node, neuron), since every node has
                # its own.
                low, high = self._pairs(k, node[at], neuron[at], relaxations, nodes)
                column = span.start + neuron[at]
                # The node lies within its parent: what was proved there is kept where it is better.
                lower[node[at], column] = np.maximum(lower[node[at], column], low)
                upper[node[at], column] = np.minimum(upper[node[at], column], high)
            # Ends that cross prove the node empty (:attr:`Nodes.empty`); a relaxation needs lower
            # <= upper.
            relaxations.append(relax(lower[:, span], np.maximum(upper[:, span], lower[:, span])))
        return replace(nodes, lower=lower, upper=upper)

    def _pairs(
        self,
        k: int,
        node: NDArray[np.int64],
        neuron: NDArray[np.int64],
        relaxations: list[Relaxation],
        nodes: Nodes,
    ) -> tuple[Array, Array]:
        """Bounds of ``neuron[i]`` of layer ``k`` in node ``node[i]``."""
        layer = self.form.hidden[k]
        unit = np.zeros((node.size, 2, layer.outputs))
        unit[np.arange(node.size), 0, neuron] = 1.0
        unit[np.arange(node.size), 1, neuron] = -1.0
        mine = [line.take(node) for line in relaxations]
        result = self.passes.run(self.passes.start(layer, unit), k, mine)
        width = self.form.inputs
        least = self.concretiser.minimum_under_cut(
            result.weights.reshape(-1, width),
            (result.constant - result.error).reshape(-1),
            (nodes.cut, nodes.offset),
            np.repeat(node, 2),
            CUT_STEPS,
        ).reshape(-1, 2)
        return least[:, 0], -least[:, 1]

    def form_of(self, nodes: Nodes) -> tuple[InputForm, list[Relaxation]]:
        """The linear form that the multipliers of ``nodes`` prove to lie below."""
        relaxations = self.relaxations(nodes, nodes.alpha)
        started = self.passes.start(
            self.form.output, -(nodes.row_multipliers @ self.condition.matrix)[:, None]
        )
        # A phase says sign * z >= 0. Its multiplier beta >= 0 adds -beta sign z <= 0 to the form,
        # which stays a lower bound of it on the node, and may be above 0 where the form itself is
        # not.
        sign = np.clip(nodes.beta, 0.0, None) * -nodes.phases
        used = {k + 1: sign[:, span] for k, span in enumerate(self.spans) if sign[:, span].any()}
        return self.passes.run(started, len(relaxations), relaxations, used), relaxations

    def evaluate(self, nodes: Nodes) -> tuple[Array, Array, InputForm, list[Relaxation]]:
        """(weights (nodes, inputs), constant (nodes,)) of the form, rounding subtracted."""
        result, relaxations = self.form_of(nodes)
        # Every row of the condition is >= 0 at a witness; so is their sum with multipliers >= 0. A
        # sum whose greatest value is below 0 refutes all of them together, which no single row may.
        lead = nodes.row_multipliers @ self.condition.rhs
        # The row with these multipliers, here and in the form started from, is itself rounded.
        lost = (
            gamma(nodes.row_multipliers.shape[1]) * (nodes.row_multipliers @ self.row_size)
            + self.underflown
        )
        constant = result.constant[:, 0] - result.error[:, 0] + lead - lost
        return result.weights[:, 0], constant, result, relaxations

    def value(self, nodes: Nodes) -> Array:
        """The least value of each node's form with the multipliers it has: (nodes,)."""
        weights, constant, _, _ = self.evaluate(nodes)
        return self.concretiser.minimum(weights, constant)

    def bound(self, nodes: Nodes, steps: int, until: float = inf) -> Bounded:
        """Improve the multipliers by ``steps`` supergradient steps, or until the monotonic clock
        says ``until``; keep each node's best."""
        ascent = DualAscent(nodes)
        best_value = np.full(len(nodes), -np.inf)
        best, score, point = nodes, np.zeros(nodes.lower.shape), np.zeros(0)
        for step in range(steps + 1):
            weights, constant, result, relaxations = self.evaluate(nodes)
            value, x = self.concretiser.minimum_and_minimiser(weights, constant)
            # A step may make a node worse: the best of all steps is kept, node by node.
            better = value > best_value
            best_value = np.where(better, value, best_value)
            best = _merge(best, nodes, better)
            score = np.where(better[:, None], self._score(result, relaxations), score)
            point = x if step == 0 else np.where(better[:, None], x, point)
            if step == steps or monotonic() > until or bool((best_value > 0.0).all()):
                break
            z, _, outputs = self._relaxed(x, result, relaxations)
            nodes = ascent.step(nodes, result, self._flat(result), z, self.condition.slack(outputs))
        # The form of the best multipliers is worked out again rather than remembered: it becomes
        # the node's cut, so it must be of the multipliers that are kept with it.
        weights, constant, _, _ = self.evaluate(best)
        radius = self.concretiser.radius_of(weights, constant)
        best = replace(best, cut=weights, offset=constant)
        return Bounded(best, best_value, radius, score, point)

    def gaps(self, nodes: Nodes, steps: int) -> Array:
        """How far above ReLU the relaxation's best point lies, by unstable neuron (-inf
        for the others): (nodes, neurons).

        The mean of the minimisers of ``steps`` supergradient steps, later ones counted more, nears
        that point; the multipliers alone do not tell where it lies, where they are 0.
        """
        ascent = DualAscent(nodes)
        total, now = np.zeros((2, *nodes.lower.shape)), nodes
        for step in range(steps):
            weights, constant, result, relaxations = self.evaluate(now)
            _, x = self.concretiser.minimum_and_minimiser(weights, constant)
            z, a, outputs = self._relaxed(x, result, relaxations)
            total += (step + 1.0) * np.stack([z, a])
            now = ascent.step(now, result, self._flat(result), z, self.condition.slack(outputs))
        z, a = total / (0.5 * steps * (steps + 1.0))
        return np.where(nodes.unstable, a - np.maximum(z, 0.0), -np.inf)

    def _flat(self, result: InputForm) -> Array:
        """The coefficients of all activations, (nodes, neurons)."""
        count = result.constant.shape[0]
        parts = [
            np.zeros((count, span.stop - span.start)) if c is None else c[:, 0]
            for c, span in zip(result.coefficients, self.spans, strict=True)
        ]
        return np.concatenate([np.zeros((count, 0)), *parts], axis=1)

    def _score(self, result: InputForm, relaxations: list[Relaxation]) -> Array:
        """What each neuron's relaxation costs the bound: the offset its upper line adds, or
        what its lower line gives away at the ends of its interval."""
        coefficients = self._flat(result)
        if not relaxations:
            return coefficients
        intercept = np.concatenate([line.upper_intercept for line in relaxations], axis=1)
        return np.asarray(np.maximum(-coefficients, 0.25 * coefficients) * intercept)

    def _relaxed(
        self, x: Array, result: InputForm, relaxations: list[Relaxation]
    ) -> tuple[Array, Array, Array]:
        """Pre-activations, activations (nodes, neurons) and outputs of the relaxed network."""
        none = np.zeros((x.shape[0], 0))
        activations, hidden = [x], [none]
        for k, (layer, line) in enumerate(zip(self.form.hidden, relaxations, strict=True)):
            z = layer(activations)
            coefficient = result.coefficients[k]
            # The relaxed network takes, of each neuron, the line that the backward pass used for
            # it.
            chosen = np.zeros_like(z) if coefficient is None else coefficient[:, 0]
            above = line.upper_slope * z + line.upper_intercept
            activations.append(np.where(chosen >= 0.0, line.lower_slope * z, above))
            hidden.append(z)
        relaxed = np.concatenate([none, *activations[1:]], axis=1)
        return np.concatenate(hidden, axis=1), relaxed, self.form.output(activations)


def _merge(old: Nodes, new: Nodes, better: NDArray[np.bool_]) -> Nodes:
    pick = better[:, None]
    return replace(
        old,
        alpha=np.where(pick, new.alpha, old.alpha),
        beta=np.where(pick, new.beta, old.beta),
        row_multipliers=np.where(pick, new.row_multipliers, old.row_multipliers),
    )
