"""CROWN bounds of every pre-activation, concretised over the true ball by its dual norm."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from math import inf
from time import monotonic

import numpy as np
import scipy.sparse as sp

from marapatch.bounds.backward import BackwardPass, InputForm, Relaxation, relax
from marapatch.bounds.bounds import Bounds
from marapatch.bounds.concretise import Concretiser, concretiser_of
from marapatch.bounds.interval import interval_bounds, interval_image
from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition

ROW_BLOCK = 4_000_000
"""Entries of the largest intermediate matrix of one block of rows."""

CACHED_BALLS = 32
"""Balls whose bounds are kept: more than one search asks about, which probes smaller ones too."""


def linear_bounds(form: StandardForm, ball: Ball, until: float = inf) -> Bounds:
    """CROWN bounds intersected with interval bounds, over ``ball``: rigorous.

    For L-infinity and L1 alike the linear forms are minimised over the true ball within the box,
    not over a box around it. Cost: one backward pass a neuron that intervals leave unstable.
    ``until``: when the monotonic clock says so, what is left keeps its interval bounds.
    """
    # The rounding of the backward pass is measured against |activations|, for which intervals do.
    first = interval_bounds(form, ball)
    passes = _passes(form, first)
    concretiser = concretiser_of(ball)
    box = [ball.enclosing_box]
    relaxations: list[Relaxation] = []
    pre: list[tuple[Array, Array]] = []
    for k, layer in enumerate((*form.hidden, form.output)):
        if k == 0 and form.hidden:  # nothing is known better by now
            low, high = first.lower[0].copy(), first.upper[0].copy()
        else:
            low, high = interval_image(layer, box, concretiser)
            low, high = low.copy(), high.copy()
        if k > 0:
            last = k == len(form.hidden)
            # A neuron that intervals leave on one side is linear already: a pass would gain
            # nothing.
            rows = np.arange(layer.outputs) if last else np.flatnonzero((low < 0) & (high > 0))
            for block, least, greatest in _layer_bounds(
                passes, concretiser, layer, relaxations, rows
            ):
                # Both are proved, so the intersection is; neither is always the better.
                low[block] = np.maximum(low[block], least)
                high[block] = np.minimum(high[block], greatest)
                if monotonic() > until:
                    break
        pre.append((low, high))
        # ReLU is monotone: its image of [low, high] has these ends, exactly.
        box.append((np.maximum(low, 0.0), np.maximum(high, 0.0)))
        relaxations.append(relax(low[None], high[None]))
    lower, upper = zip(*pre, strict=True)
    return Bounds(ball, lower[:-1], upper[:-1], pre[-1])


def cached_bounds(form: StandardForm, ball: Ball, until: float = inf) -> Bounds:
    """:func:`linear_bounds`, kept for the balls last asked about: the searches of several targets,
    and one that is begun again, share the first ball and often the next."""
    box = (ball.centre, ball.lower, ball.upper)
    key = (form, ball.norm, ball.radius, *(array.tobytes() for array in box))
    known = _CACHED.pop(key, None)
    if known is None:
        known = linear_bounds(form, ball, until)
        if monotonic() > until:  # perhaps not complete
            return known
    _CACHED[key] = known  # the newest last
    if len(_CACHED) > CACHED_BALLS:
        del _CACHED[next(iter(_CACHED))]
    return known


_CACHED: dict[Hashable, Bounds] = {}


def _passes(form: StandardForm, bounds: Bounds) -> BackwardPass:
    return BackwardPass(form, magnitudes(bounds))


def magnitudes(bounds: Bounds) -> tuple[Array, ...]:
    """Per source, a bound on |activation| over the scope of ``bounds``."""
    low, high = bounds.ball.enclosing_box
    hidden = (np.maximum(up, 0.0) for up in bounds.upper)
    return (np.maximum(np.abs(low), np.abs(high)), *hidden)


def _layer_bounds(
    passes: BackwardPass,
    concretiser: Concretiser,
    layer: AffineMap,
    relaxations: list[Relaxation],
    rows: np.ndarray,
) -> Iterator[tuple[np.ndarray, Array, Array]]:
    widest = max(passes.form.sizes)
    size = max(1, ROW_BLOCK // (2 * widest))
    for start in range(0, rows.size, size):
        block = rows[start : start + size]
        unit = sp.csr_array(
            (np.ones(block.size), (np.arange(block.size), block)),
            shape=(block.size, layer.outputs),
        ).toarray()
        # max z = -min(-z): both ends come out of one pass as lower bounds.
        both = np.concatenate([unit, -unit])[None]
        result = passes.run(passes.start(layer, both), len(relaxations), relaxations)
        least = concretise(result, concretiser)[0]
        yield block, least[: block.size], -least[block.size :]


def concretise(result: InputForm, concretiser: Concretiser) -> Array:
    """The rigorous least value of every row over the ball: (nodes, rows)."""
    # ``error`` is >= 0 and is taken off before the minimum, which is itself rounded down.
    constant = result.constant - result.error
    flat = result.weights.reshape(-1, result.weights.shape[2])
    return concretiser.minimum(flat, constant.reshape(-1)).reshape(constant.shape)


@dataclass(frozen=True, eq=False)
class ConditionBound:
    """How far an output condition is from being met: ``worst`` >= every input's worst slack."""

    worst: float
    radius: float


def bound_condition(
    form: StandardForm, bounds: Bounds, condition: OutputCondition
) -> ConditionBound:
    """An upper bound on ``min over rows of (matrix y - rhs)`` over the ball of ``bounds``.

    Negative: no input of the ball meets the condition. ``radius``: up to which it is proved
    that none does (0 where nothing is proved).
    """
    least, radius = _by_row(form, bounds, condition)
    return ConditionBound(float(-least.max()), float(radius.max()))


def row_radii(form: StandardForm, bounds: Bounds, condition: OutputCondition) -> Array:
    """For each row a radius up to which it is proved that no input meets it (0 where nothing is
    proved), at most that of ``bounds``: (rows,)."""
    return _by_row(form, bounds, condition)[1]


def _by_row(form: StandardForm, bounds: Bounds, condition: OutputCondition) -> tuple[Array, Array]:
    """By row, the least value of ``rhs - matrix y`` over the ball, and the radius up to which it
    is proved to be above 0."""
    passes = _passes(form, bounds)
    relaxations = [
        relax(low[None], up[None]) for low, up in zip(bounds.lower, bounds.upper, strict=True)
    ]
    # A row is met where matrix y - rhs >= 0; that -matrix y + rhs has a least value above 0 refutes
    # it.
    started = passes.start(form.output, -condition.matrix[None])
    result = passes.run(started, len(relaxations), relaxations)
    concretiser = concretiser_of(bounds.ball)
    constant = (result.constant - result.error + condition.rhs)[0]
    # rhs is added to a constant that has its own error already: one sum more, of this size.
    slack = 4.0 * np.finfo(np.float64).eps * np.abs(condition.rhs)
    least = concretiser.minimum(result.weights[0], constant - slack)
    return least, concretiser.radius_of(result.weights[0], constant - slack)
