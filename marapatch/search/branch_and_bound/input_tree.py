"""Bisect the input box: for networks with few inputs far stronger than splitting ReLU phases.

Batches of boxes are bounded together by backward substitution (CROWN), each box with relaxations
of its own; bounds of a box hold for its halves, so only neurons that are still unstable are bounded
anew. A box is closed by an outward-rounded bound and by nothing else, so an ``Unsat`` is rigorous.
Source of the method: Wang et al., "Formal Security Analysis of Neural Networks using Symbolic
Intervals" (ReluVal), section 4, with the bounds of Zhang et al. (CROWN), section 3.

Shapes: B boxes, N neurons of all ReLU layers one after the other, R rows of the condition, I
inputs.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import inf
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from marapatch.arithmetic.float_model import SMALL, gamma
from marapatch.bounds.backward import BackwardPass, InputForm, Relaxation, relax
from marapatch.bounds.bounds import Bounds
from marapatch.bounds.concretise import FLOOR
from marapatch.bounds.crown import linear_bounds, magnitudes
from marapatch.bounds.interval import interval_slack
from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.layers import Array
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.question import Question
from marapatch.problem.row_groups import Groups
from marapatch.problem.verdict import Evidence, Replayed, Sat, Unknown, Unsat, Verdict
from marapatch.witnesses.falsify import best_witness

BATCH_BOXES = 512
"""Boxes halved at once."""

PAIRS_AT_ONCE = 4096
"""Pairs of a box and a neuron in one backward pass: more would leave the processor's cache."""

PARTS = 4
"""Piles into which the boxes left of a batch are sorted, so that the least refuted come first."""

LONGEST_SIDES = 64.0
"""How many times longer than the side that is halved another may be, relative to the first box."""

SMALLEST_BOX_SIDE = 1e-12
"""Boxes whose sides are all shorter than this are not halved any more: the search gives up."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """A batch of boxes: ``low``, ``high`` (boxes, inputs), and bounds ``lower``, ``upper`` (boxes,
    neurons) of the pre-activations of all ReLU layers over them; ``value`` (boxes,): the bound of
    the box they were cut from (> 0 would mean refuted); ``influence`` (boxes, inputs)."""

    low: Array
    high: Array
    lower: Array
    upper: Array
    value: Array
    influence: Array

    def __len__(self) -> int:
        return int(self.low.shape[0])

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Boxes:
        """The boxes at ``index``."""
        return Boxes(*(getattr(self, field.name)[index] for field in fields(Boxes)))

    @staticmethod
    def stack(parts: list[Boxes]) -> Boxes:
        """All boxes of ``parts`` in one batch."""
        names = (field.name for field in fields(Boxes))
        return Boxes(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))

    def halves(self) -> Boxes:
        """Both halves of every box, cut across its most influential side."""
        rows = np.arange(len(self))
        side = np.argmax(np.where(self.high > self.low, self.influence, -1.0), axis=1)
        middle = 0.5 * (self.low[rows, side] + self.high[rows, side])
        first, second = self.high.copy(), self.low.copy()
        # Both halves are closed and share the middle, so that no input is lost between them.
        first[rows, side] = middle
        second[rows, side] = middle
        low, high = np.concatenate([self.low, second]), np.concatenate([first, self.high])
        both = np.tile(rows, 2)
        rest = self.lower[both], self.upper[both], self.value[both], self.influence[both]
        return Boxes(low, high, *rest)


class BoxBounder:
    """Bounds batches of boxes within the box that ``root`` holds on.

    Rigorous: every sum carries its rounding error, measured against the sizes at the root.
    """

    def __init__(
        self,
        form: StandardForm,
        root: Bounds,
        condition: OutputCondition,
        groups: Groups | None = None,
    ) -> None:
        self.form, self.condition = form, condition
        self.groups = groups or Groups(np.arange(condition.rhs.size))
        self.sizes = magnitudes(root)
        self.sides = root.ball.upper - root.ball.lower
        self.passes = BackwardPass(form, self.sizes)
        self.spans = form.spans
        self.slacks = [interval_slack(layer, self.sizes) for layer in form.hidden]

    def bound(self, boxes: Boxes) -> tuple[Boxes, Array]:
        """The boxes with tighter bounds and their ``value``, and the minimisers (boxes, inputs).

        ``value`` > 0: no input of the box meets the condition.
        """
        lower, upper = boxes.lower.copy(), boxes.upper.copy()
        ranges = [(boxes.low, boxes.high)]
        relaxations: list[Relaxation] = []
        for k, (layer, span) in enumerate(zip(self.form.hidden, self.spans, strict=True)):
            low, high = self._image(layer, self.slacks[k], ranges)
            low, high = np.maximum(low, lower[:, span]), np.minimum(high, upper[:, span])
            # Over a box intervals are exact for one affine map: nothing is tighter in the first
            # layer.
            if k > 0:
                self._tighten(k, layer, boxes, relaxations, low, high)
            high = np.maximum(high, low)  # a guard: enclosures of one set do not cross
            lower[:, span], upper[:, span] = low, high
            relaxations.append(relax(low, high))
            ranges.append((np.maximum(low, 0.0), np.maximum(high, 0.0)))
        rows = np.broadcast_to(-self.condition.matrix, (len(boxes), *self.condition.matrix.shape))
        result = self.passes.run(
            self.passes.start(self.form.output, rows), len(relaxations), relaxations
        )
        least = self._least(result, boxes.low, boxes.high)
        least = least + self.condition.rhs - gamma(4) * (np.abs(self.condition.rhs) + np.abs(least))
        row = least.argmax(axis=1)
        at = np.arange(len(boxes))
        weights = result.weights[at, row]
        middle, half = _middle(boxes.low, boxes.high)
        # A form is least at a corner; rounding may have put it just outside.
        point = np.clip(middle - np.sign(weights) * half, boxes.low, boxes.high)
        # A side without any slope counts by its width, lest it never be halved.
        influence = self._due((self._smear(lower, upper) + 1e-9) * half, half)
        bounded = Boxes(boxes.low, boxes.high, lower, upper, self.groups.refuted(least), influence)
        return bounded, point

    def _due(self, influence: Array, half: Array) -> Array:
        """``influence`` (boxes, inputs), infinite for the side that was left longest, relative to
        the root, where the most influential one is far shorter: slopes of either sign may look as
        if there were none."""
        relative = half / np.maximum(self.sides, np.finfo(np.float64).tiny)
        rows, longest = np.arange(half.shape[0]), relative.argmax(axis=1)
        chosen = relative[rows, influence.argmax(axis=1)]
        late = relative[rows, longest] > LONGEST_SIDES * chosen
        result = influence.copy()
        result[rows[late], longest[late]] = inf
        return result

    def _smear(self, lower: Array, upper: Array) -> Array:
        """By box and input: the largest slope the condition's rows can have, summed over rows.

        Interval arithmetic on the gradient; it only chooses where to cut.
        """
        count = lower.shape[0]
        into: dict[int, tuple[Array, Array]] = {}
        first = np.broadcast_to(self.condition.matrix, (count, *self.condition.matrix.shape))
        _pull(self.form.output, first, np.zeros_like(first), into)
        for k in range(len(self.form.hidden), 0, -1):
            if k not in into:
                continue
            middle, half = into.pop(k)
            low, high = lower[:, None, self.spans[k - 1]], upper[:, None, self.spans[k - 1]]
            # The slope of a ReLU that may be inactive is between 0 and 1; of one that must be, it
            # is 0.
            least = np.where(low < 0.0, np.minimum(middle - half, 0.0), middle - half)
            most = np.where(low < 0.0, np.maximum(middle + half, 0.0), middle + half)
            possible = high > 0.0
            middle, half = 0.5 * (least + most) * possible, 0.5 * (most - least) * possible
            _pull(self.form.hidden[k - 1], middle, half, into)
        middle, half = into.get(0, (np.zeros(1), np.zeros(1)))
        return np.asarray(np.abs(middle).sum(axis=1))

    def _image(
        self, layer: AffineMap, slack: Array, ranges: list[tuple[Array, Array]]
    ) -> tuple[Array, Array]:
        """Interval arithmetic through one layer, by box."""
        low = high = np.broadcast_to(layer.bias, (ranges[0][0].shape[0], layer.outputs))
        for source, weight in zip(layer.sources, layer.weights, strict=True):
            # W [a, b] = W m + |W| [-h, h]; ``slack`` is what rounding loses, measured over the
            # root.
            middle, half = _middle(*ranges[source])
            centre = np.asarray((weight @ middle.T).T)
            spread = np.asarray((abs(weight) @ half.T).T)
            low, high = low + (centre - spread), high + (centre + spread)
        low, high = low - slack, high + slack
        return np.where(np.isnan(low), -inf, low), np.where(np.isnan(high), inf, high)

    def _tighten(
        self,
        k: int,
        layer: AffineMap,
        boxes: Boxes,
        relaxations: list[Relaxation],
        low: Array,
        high: Array,
    ) -> None:
        """Bound what is unstable in layer ``k`` by backward substitution, in place."""
        box, neuron = np.nonzero((low < 0.0) & (high > 0.0))
        for start in range(0, box.size, PAIRS_AT_ONCE):
            b, j = box[start : start + PAIRS_AT_ONCE], neuron[start : start + PAIRS_AT_ONCE]
            unit = np.zeros((b.size, 2, layer.outputs))
            unit[np.arange(b.size), 0, j] = 1.0
            unit[np.arange(b.size), 1, j] = -1.0
            mine = [line.take(b) for line in relaxations]
            result = self.passes.run(self.passes.start(layer, unit), k, mine)
            least = self._least(result, boxes.low[b], boxes.high[b])
            low[b, j] = np.maximum(low[b, j], least[:, 0])
            high[b, j] = np.minimum(high[b, j], -least[:, 1])

    def _least(self, result: InputForm, low: Array, high: Array) -> Array:
        """The rigorous least value of every row over its box: (boxes, rows)."""
        middle, half = _middle(low, high)
        weights = result.weights
        size = np.abs(weights)
        constant = result.constant - result.error
        value = np.einsum("nri,ni->nr", weights, middle) - np.einsum("nri,ni->nr", size, half)
        # FLOOR: a middle or half that is subnormal loses 2^-1075, which a weight multiplies.
        scale = 2.0 * (size @ (self.sizes[0] + FLOOR)) + np.abs(constant)
        least = value + constant - gamma(4 * weights.shape[2]) * scale - SMALL
        return np.asarray(np.where(np.isnan(least), -inf, least))  # overflow proves nothing


def _pull(
    layer: AffineMap, middle: Array, half: Array, into: dict[int, tuple[Array, Array]]
) -> None:
    """Add ``[middle -+ half] @ weights`` to the slopes by source; arrays (boxes, rows, outputs)."""
    for source, weight in zip(layer.sources, layer.weights, strict=True):
        parts = []
        for values, matrix in ((middle, weight), (half, abs(weight))):
            flat = values.reshape(-1, values.shape[2])
            part = np.asarray((matrix.T @ flat.T).T)
            parts.append(part.reshape(*values.shape[:2], -1))
        known = into.get(source)
        added = (parts[0], parts[1])
        into[source] = added if known is None else (known[0] + parts[0], known[1] + parts[1])


def _middle(low: Array, high: Array) -> tuple[Array, Array]:
    """Middle and half width of intervals, the half rounded up so that both ends are inside."""
    middle = 0.5 * (low + high)
    half = np.maximum(high - middle, middle - low)
    return middle, np.where(half > 0.0, np.nextafter(half, inf), 0.0)


class InputSplit:
    """Is there an input in the box of ``question`` that meets its condition, however far?

    The ball must be all of its box, which must be finite. The search can be interrupted and
    resumed; ``bounded``: how many boxes were bounded so far. ``groups``: how the condition's rows
    are joined; None: each is a group of its own.
    """

    def __init__(self, question: Question, groups: Groups | None = None) -> None:
        self.question, self.given = question, groups
        self.open: list[Boxes] = []
        self.bounded = 0

    def _begin(self, until: float) -> None:
        """Open the whole box, with the bounds of the neurons there."""
        question = self.question
        bounds = linear_bounds(question.form, question.ball, until)
        self.bounder = BoxBounder(question.form, bounds, question.condition, self.given)
        none = np.zeros(0)
        ball = question.ball
        self.open = [
            Boxes(
                ball.lower[None],
                ball.upper[None],
                np.concatenate([none, *bounds.lower])[None],
                np.concatenate([none, *bounds.upper])[None],
                np.zeros(1),
                (ball.upper - ball.lower)[None],
            )
        ]

    def advance(self, until: float, nodes: float = inf) -> Verdict:
        """Halve what is open until nothing is, or a point is a witness, or it is ``until``, or
        about so many more boxes (``nodes``) are bounded.

        ``Sat`` with a replayed witness; ``Unsat`` (radius infinite, evidence ``bound``) where
        every box was refuted; ``Unknown`` at ``until`` (of ``time.monotonic``) or the limit.
        """
        last = self.bounded + nodes
        if self.bounded == 0:
            self._begin(until)
            witness = self._bound(self.open.pop())
            if witness is not None:
                return Sat(witness)
        while self.open:
            if monotonic() >= until:
                return Unknown(f"timeout: {sum(map(len, self.open))} boxes are open")
            if self.bounded >= last:
                boxes = sum(map(len, self.open))
                return Unknown(f"the limit of sub-problems is reached with {boxes} open boxes")
            chosen = self._choose(last - self.bounded)
            if ((chosen.high - chosen.low).max(axis=1, initial=0.0) < SMALLEST_BOX_SIDE).any():
                # Put back: the question is not settled, and a later call must not find nothing
                # open.
                self.open.append(chosen)
                return Unknown("a box too small to be halved is neither refuted nor a witness")
            witness = self._bound(chosen.halves())
            if witness is not None:
                return Sat(witness)
        return Unsat(inf, Evidence.BOUND)

    def _bound(self, boxes: Boxes) -> Replayed | None:
        """Bound ``boxes``; keep open what is not refuted; the witness found on the way, if any."""
        bounded, points = self.bounder.bound(boxes)
        self.bounded += len(boxes)
        left = np.flatnonzero(~(bounded.value > 0.0))
        if not left.size:
            return None
        left = left[np.argsort(-bounded.value[left])]  # those refuted least are halved first
        still = bounded.take(left)
        self.open += [still.take(part) for part in np.array_split(np.arange(left.size), PARTS)]
        # Two guesses at a witness a box: its middle, and where its linear bound is least.
        tried = np.concatenate([0.5 * (still.low + still.high), points[left]])
        slack = self.question.condition.slack(self.question.form.evaluate(tried))
        worst = self.bounder.groups.slack(slack).min(axis=1)
        return best_witness(self.question, tried, worst)

    def _choose(self, left: float) -> Boxes:
        """The newest open boxes, which are among the smallest: memory stays small. No more than
        make ``left`` halves."""
        chosen = [self.open.pop()]
        while self.open and sum(map(len, chosen)) + len(self.open[-1]) <= BATCH_BOXES:
            chosen.append(self.open.pop())
        boxes = Boxes.stack(chosen)
        most = max(1, int(min(0.5 * left, BATCH_BOXES)))
        if len(boxes) > most:
            self.open.append(boxes.take(np.arange(most, len(boxes))))
        return boxes.take(np.arange(min(most, len(boxes))))
