"""The arithmetic of :mod:`marapatch.certificates.recheck`: what a node's splits and multipliers
prove.

Plain matrix products on dense matrices, every rounding error bounded where it arises. The model
is fl(a op b) = (a op b)(1 + d) + e with |d| <= UNIT and, for products and quotients only,
|e| <= 2^-1075: ``gamma`` covers the first part, ``SMALL`` the second. Overflow gives infinities
and NaN; neither ever counts as proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from marapatch.arithmetic.float_model import UNIT, gamma
from marapatch.certificates.recheck_least import SMALL, BallMinimum, Form
from marapatch.certificates.recheck_maps import Map, Part, parts_of
from marapatch.errors import InputError
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition

# Shapes: I inputs, N neurons of all ReLU layers one after the other, n of one layer, R rows of the
# condition, F forms bounded at once. Bounds of a node are (N,), lines (n,), row multipliers (R,);
# forms are (F, I) with constants (F,), a cut is (1, I) with (1,).

BLOCK_ENTRIES = 2_000_000
"""Entries of the forms that are minimised at once."""

LARGEST_VALUE = 1e150
"""The largest value of a neuron that is checked: sums and differences of two never overflow."""


@dataclass(frozen=True, eq=False)
class Line:
    """``lower * z <= relu(z) <= upper * z + offset``, by neuron of one layer."""

    lower: Array
    upper: Array
    offset: Array


@dataclass(frozen=True, eq=False)
class Node:
    """Bounds of all pre-activations, the phases fixed so far, the cut that holds within, and the
    node above.

    All of it is about the inputs of the ball that have these phases *and* meet the condition.
    """

    low: Array
    high: Array
    phases: Array
    cut: Form
    above: Node | None = None

    @property
    def empty(self) -> bool:
        """Whether the bounds contradict each other: there is no such input."""
        return bool((self.low > self.high).any())


class Checker:
    """One question over the ball of one radius.

    Raises InputError where the network's values over the ball are too large for float64.
    Source of the bounds: Zhang et al., "Efficient Neural Network Robustness Certification with
    General Activation Functions", section 3; of the multipliers: Wang et al., "Beta-CROWN", 3.
    """

    def __init__(self, form: StandardForm, ball: Ball, condition: OutputCondition) -> None:
        self.form, self.ball, self.condition = form, ball, condition
        self.over = BallMinimum(ball)
        self.hidden = [parts_of(layer) for layer in form.hidden]
        ends = np.cumsum([layer.outputs for layer in form.hidden], dtype=int)
        self.spans = [
            slice(int(e) - layer.outputs, int(e))
            for e, layer in zip(ends, form.hidden, strict=True)
        ]
        self.over_ball = [self._over_ball(parts) for parts in self.hidden]
        low, high, self.sizes, self.pre_sizes = self._intervals()
        layers = (*form.hidden, form.output)
        all_parts = (*self.hidden, parts_of(form.output))
        self.maps = [
            Map.of(layer, parts, self.sizes) for layer, parts in zip(layers, all_parts, strict=True)
        ]
        self.whole = Node(low, high, np.zeros(low.size), self._no_cut())

    def _no_cut(self) -> Form:
        return Form(np.zeros((1, self.form.inputs)), np.zeros(1))

    def _over_ball(self, parts: Sequence[Part]) -> tuple[Array, Array] | None:
        """Bounds, by output, of what the network's input contributes to a map: over the ball
        itself, for L1 far less than over the box around it. None where it contributes nothing."""
        for part in parts:
            if part.source == 0:
                step = max(1, BLOCK_ENTRIES // max(1, self.form.inputs))
                blocks = [part.matrix[i : i + step] for i in range(0, len(part.matrix), step)]
                ends = [
                    np.concatenate([np.zeros(0), *(self._least_of(sign * b) for b in blocks)])
                    for sign in (1.0, -1.0)
                ]
                return ends[0], -ends[1]
        return None

    def _least_of(self, weights: Array) -> Array:
        least = self.over.least(Form(weights, np.zeros(len(weights))))[0]
        return np.where(weights.any(axis=1), least, 0.0)  # 0 is nothing that rounds

    def _intervals(self) -> tuple[Array, Array, list[Array], list[Array]]:
        """Interval arithmetic: bounds of all pre-activations; |a| by source; |z| by layer."""
        ranges = [(self.over.low, self.over.high)]
        sizes, lows, highs, pre_sizes = [self.over.size], [np.zeros(0)], [np.zeros(0)], []
        _check_size(self.over.size)
        for k in range(len(self.hidden)):
            low, high = self._image(k, ranges, sizes)
            size = np.maximum(np.abs(low), np.abs(high))
            _check_size(size)
            lows.append(low)
            highs.append(high)
            pre_sizes.append(size)
            ranges.append((np.maximum(low, 0.0), np.maximum(high, 0.0)))
            # 0 <= relu(z) <= max(high, 0): a neuron that is inactive over the whole ball costs
            # nothing.
            sizes.append(np.maximum(high, 0.0))
        return np.concatenate(lows), np.concatenate(highs), sizes, pre_sizes

    def _image(
        self,
        k: int,
        ranges: Sequence[tuple[Array, Array]],
        sizes: Sequence[Array],
    ) -> tuple[Array, Array]:
        """An enclosure of hidden map ``k`` for inputs of the ball and activations
        ``ranges[s][0] <= a_s <= ranges[s][1]`` by source, at most ``sizes`` in absolute value."""
        layer, over_ball = self.form.hidden[k], self.over_ball[k]
        low, high, error = np.array(layer.bias), np.array(layer.bias), layer.bias_error
        total = np.abs(layer.bias)
        live = (total > 0.0) | (error > 0.0)  # all else is 0 without any rounding
        for part in self.hidden[k]:
            if part.source == 0 and over_ball is not None:
                low, high = low + over_ball[0], high + over_ball[1]
            else:
                positive, negative = np.maximum(part.matrix, 0.0), np.minimum(part.matrix, 0.0)
                below, above = ranges[part.source]
                low = low + positive @ below + negative @ above
                high = high + positive @ above + negative @ below
            total = total + part.size @ sizes[part.source]
            live = live | (part.size > 0.0).any(axis=1)
            if part.inexact is not None:
                error = error + part.inexact @ sizes[part.source]
                live = live | (part.inexact > 0.0).any(axis=1)
        count = sum(self.form.sizes)
        error = error * (1.0 + 1e-9) + gamma(count) * total + count * SMALL * live
        return low - error, high + error

    def root(self, rounds: Sequence[tuple[Array, Array, Array]]) -> Node:
        """The whole ball, tightened under the cut of one of ``rounds`` after the other."""
        node = self._tightened(self.whole, -1)
        for alpha, beta, row_multipliers in rounds:
            node = self._tightened(self.with_cut(node, alpha, beta, row_multipliers), -1)
        return node

    def child(self, parent: Node, neuron: int, phase: int) -> Node:
        """The part of ``parent`` where ``neuron`` is active (+1) or inactive (-1)."""
        low, high, phases = parent.low.copy(), parent.high.copy(), parent.phases.copy()
        # Both parts are closed, z = 0 is in either: together they leave out no input.
        if phase > 0:
            low[neuron] = max(low[neuron], 0.0)
        else:
            high[neuron] = min(high[neuron], 0.0)
        phases[neuron] = phase
        layer = next(k for k, span in enumerate(self.spans) if neuron < span.stop)
        return self._tightened(Node(low, high, phases, parent.cut, parent), layer)

    def with_cut(self, node: Node, alpha: Array, beta: Array, row_multipliers: Array) -> Node:
        """``node`` with the cut of these multipliers instead of the one it inherited."""
        return replace(node, cut=self.cut(node, alpha, beta, row_multipliers))

    def cut(self, node: Node, alpha: Array, beta: Array, row_multipliers: Array) -> Form:
        """A form that is at most 0 at every input of ``node`` that meets the condition:

        it lies below ``- lambda . (C y - d) - beta . (sign z)``. Multipliers out of their range are
        moved into it: whatever they are, the form is valid.
        """
        row_multipliers = np.maximum(row_multipliers, 0.0)
        # z >= 0 where the neuron is active, z <= 0 where it is inactive: by a split or by bounds.
        sign = np.where(node.low >= 0.0, 1.0, np.where(node.high <= 0.0, -1.0, node.phases))
        extra = -sign * np.maximum(beta, 0.0)
        relaxations = [self._line(node, span, alpha[span]) for span in self.spans]
        rows = -(row_multipliers @ self.condition.matrix)[None]
        started = self._backward(self.maps[-1], rows, relaxations, extra)
        # The row with these multipliers is itself rounded, and what is lost there is multiplied by
        # |y|.
        size = self.maps[-1].carried + self.maps[-1].strayed
        lost = row_multipliers @ (np.abs(self.condition.matrix) @ size + np.abs(self.condition.rhs))
        lost = gamma(row_multipliers.size + 8) * lost + SMALL * (row_multipliers.size + 8) * (
            1.0 + size.sum()
        )
        return Form(started.weights, started.constant + row_multipliers @ self.condition.rhs - lost)

    def _line(self, node: Node, span: slice, alpha: Array | None = None) -> Line:
        """The triangle around relu; ``alpha``: the slope of the lower line.

        ``alpha z <= relu(z)`` wherever z is, so it is taken as it is also where the phase is known:
        that may be known by the cut, and off the cut the line is better than the ReLU's piece.
        """
        low, high = node.low[span], node.high[span]
        active, open_ = low >= 0.0, (low < 0.0) & (high > 0.0)
        # The chord from (low, 0) to (high, high) has three roundings, and may pass below either end
        # by a few u (|low| + |high|): the lift is more than that.
        width = np.where(open_, high - low, 1.0)
        chord = np.where(open_, high / width, active * 1.0)
        size = np.abs(low) + np.abs(high)
        lift = 16.0 * UNIT * size + SMALL * (1.0 + size)
        offset = np.where(open_, lift - chord * low, 0.0)
        if alpha is None:
            slope = np.where(open_, (high > -low) * 1.0, active * 1.0)
        else:
            slope = np.clip(alpha, 0.0, 1.0)
        return Line(slope, chord, offset)

    def _backward(
        self, last: Map, rows: Array, relaxations: Sequence[Line], extra: Array | None = None
    ) -> Form:
        """A form below ``rows @ last(a) + extra @ z``, back through the layers of
        ``relaxations``."""
        into: dict[int, Array] = {}
        constant, error = np.zeros(rows.shape[0]), np.zeros(rows.shape[0])
        sums = 4 * len(self.form.sizes) + 8  # how often a coefficient or the constant is added to

        def through(map_: Map, rows: Array) -> None:
            nonlocal constant, error
            operations = map_.layer.outputs + sums
            for part in map_.parts:
                into[part.source] = into.get(part.source, 0.0) + rows @ part.matrix
            constant = constant + rows @ map_.layer.bias
            size = np.abs(rows)
            error = error + gamma(operations) * (size @ map_.carried) + size @ map_.strayed
            error = error + SMALL * operations * map_.spread

        through(last, rows)
        for k in range(len(relaxations), 0, -1):
            coefficient = into.pop(k, np.zeros((rows.shape[0], self.form.hidden[k - 1].outputs)))
            line, reach = relaxations[k - 1], self.pre_sizes[k - 1]
            positive, negative = np.maximum(coefficient, 0.0), np.minimum(coefficient, 0.0)
            lift = negative @ line.offset
            constant = constant + lift
            error = error - gamma(line.offset.size + sums) * lift
            rows = positive * line.lower + negative * line.upper
            error = error + 8.0 * UNIT * (np.abs(rows) @ reach) + 8.0 * SMALL * (1.0 + reach.sum())
            if extra is not None:  # what cancels here was rounded above at its full size
                rows = rows + extra[self.spans[k - 1]]
                error = error + 8.0 * UNIT * (np.abs(rows) @ reach)
            through(self.maps[k - 1], rows)
        weights = into.get(0, np.zeros((rows.shape[0], self.form.inputs)))
        error = error * (1.0 + 1e-9) + gamma(8 * len(relaxations) + 16) * np.abs(constant)
        return Form(weights, constant - error)

    def _tightened(self, node: Node, split: int) -> Node:
        """Bound what is open behind layer ``split``, and the first layer, under the node's cut."""
        low, high = node.low.copy(), node.high.copy()
        ranges = [(self.over.low, self.over.high)]
        relaxations: list[Line] = []
        for k, span in enumerate(self.spans):
            if k > split:
                # A range of a neuron whose bounds contradict each other is of no input at all.
                least, most = self._image(k, ranges, self.sizes)
                low[span] = np.maximum(low[span], least)
                high[span] = np.minimum(high[span], most)
            open_ = np.flatnonzero((low[span] < 0.0) & (high[span] > 0.0))
            # The first layer after every split: it is linear in the input, so that the new cut acts
            # on it without any relaxation in between.
            if open_.size and (k > split or k == 0):
                unit = np.eye(span.stop - span.start)[open_]
                both = np.concatenate([unit, -unit])
                form = self._backward(self.maps[k], both, relaxations)
                least = self.over.least_under(form, node.cut)
                at = span.start + open_
                # Of two lower bounds that hold the larger one does; minus the least -z is an upper
                # one.
                low[at] = np.maximum(low[at], least[: open_.size])
                high[at] = np.minimum(high[at], -least[open_.size :])
            relaxations.append(self._line(replace(node, low=low, high=high), span))
            ranges.append((np.maximum(low[span], 0.0), np.maximum(high[span], 0.0)))
        return replace(node, low=low, high=high)


def _check_size(size: Array) -> None:
    if not (size < LARGEST_VALUE).all():
        raise InputError(
            f"the network's values over the ball are not all below {LARGEST_VALUE:g}: they cannot "
            "be checked in float64"
        )
