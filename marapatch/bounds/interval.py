"""Interval bounds: forward through the network, one layer after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from marapatch.arithmetic.float_model import SMALL, gamma
from marapatch.bounds.bounds import Bounds
from marapatch.bounds.concretise import Concretiser, concretiser_of
from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.layers import Array, Matrix
from marapatch.problem.ball import Ball

CHUNK = 2_000_000
"""Entries of a dense block of input rows held at once."""

SPARSE_SHARE = 0.1
"""The share of entries other than 0 up to which rows are looked at by the inputs they have."""

BLOCK_ROWS = 32
"""Such rows in one block: neighbours, which share most of their inputs."""


def interval_bounds(form: StandardForm, ball: Ball) -> Bounds:
    """Bounds from interval arithmetic; maps from the input are exact over the ball itself."""
    concretiser = concretiser_of(ball)
    box: list[tuple[Array, Array]] = [ball.enclosing_box]
    pre: list[tuple[Array, Array]] = []
    for layer in (*form.hidden, form.output):
        low, high = interval_image(layer, box, concretiser)
        pre.append((low, high))
        box.append((np.maximum(low, 0.0), np.maximum(high, 0.0)))
    lower, upper = zip(*pre, strict=True)
    return Bounds(ball, lower[:-1], upper[:-1], pre[-1])


def interval_image(
    layer: AffineMap, box: Sequence[tuple[Array, Array]], concretiser: Concretiser
) -> tuple[Array, Array]:
    """An enclosure of ``layer`` over activations in ``box``, the input over its ball."""
    low, high = layer.bias.copy(), layer.bias.copy()
    for source, weight in zip(layer.sources, layer.weights, strict=True):
        if source == 0:
            part_low, part_high = _over_ball(weight, concretiser)
        else:
            a, b = box[source]
            # W [a, b] = W m + |W| [-h, h]: two products instead of four with the signs of W apart.
            middle, half = weight @ ((a + b) / 2), abs(weight) @ ((b - a) / 2)
            part_low, part_high = middle - half, middle + half
        low, high = low + part_low, high + part_high
    # Middles and halves are rounded, and the sums over them: by so much, relative to |W| |a|.
    sizes = [np.maximum(np.abs(a), np.abs(b)) for a, b in box]
    slack = interval_slack(layer, sizes)
    low, high = low - slack, high + slack
    # Overflow bounds nothing: a NaN would slip through every comparison.
    return (
        np.asarray(np.where(np.isnan(low), -np.inf, low)),
        np.asarray(np.where(np.isnan(high), np.inf, high)),
    )


def interval_slack(layer: AffineMap, sizes: Sequence[Array]) -> Array:
    """What interval arithmetic by middles and halves loses in ``layer``, by output: 0 where that
    is exactly 0. ``sizes``: bounds on |activation| by source."""
    size, inexact = layer.magnitude(sizes)
    # The halving of a subnormal number loses 2^-1075, which a weight then multiplies.
    underflown = SMALL * (1.0 + layer.row_sums) * (size > 0.0)
    return np.asarray(gamma(2 * layer.terms) * 2.0 * size + inexact + underflown)


def _over_ball(weight: Matrix, concretiser: Concretiser) -> tuple[Array, Array]:
    if sp.issparse(weight) and weight.nnz < SPARSE_SHARE * weight.shape[0] * weight.shape[1]:
        return _sparse_over_ball(sp.csr_array(weight), concretiser)
    rows = max(1, CHUNK // max(1, weight.shape[1]))
    lows, highs = [], []
    for start in range(0, weight.shape[0], rows):
        block = weight[start : start + rows]
        dense = np.asarray(block.toarray() if sp.issparse(block) else block)
        zero = np.zeros(dense.shape[0])
        lows.append(concretiser.minimum(dense, zero))
        highs.append(-concretiser.minimum(-dense, zero))
    return np.concatenate(lows), np.concatenate(highs)


def _sparse_over_ball(weight: sp.csr_array, concretiser: Concretiser) -> tuple[Array, Array]:
    """The same where rows have few entries, as those of convolutions: only the inputs that a block
    of rows has entries for matter, and the ball of these alone."""
    ball = concretiser.ball
    count = weight.shape[0]
    rows = BLOCK_ROWS
    low, high = np.zeros(count), np.zeros(count)
    start = 0
    while start < count:
        block = weight[start : start + rows]
        columns = np.unique(block.indices)
        # A block of rows is made dense over the inputs that it has: half as many rows, fewer of
        # these.
        if rows > 1 and rows * columns.size > CHUNK:  # rows far apart
            rows //= 2
            continue
        if not columns.size:  # nothing of the input: exactly 0
            start += rows
            continue
        # The ball of some inputs alone holds the projection of the ball, so its least value is no
        # more.
        part = replace(
            ball,
            centre=ball.centre[columns],
            lower=ball.lower[columns],
            upper=ball.upper[columns],
        )
        mine = concretiser_of(part)
        dense, zero = block[:, columns].toarray(), np.zeros(block.shape[0])
        low[start : start + rows] = mine.minimum(dense, zero)
        high[start : start + rows] = -mine.minimum(-dense, zero)
        start += rows
    return low, high
