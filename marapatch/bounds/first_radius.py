"""A first lower end for many targets at once: one pass of bounds a radius, whatever their number.

The condition that a target leads holds only where it leads the class decided at the centre: one row
of the outputs a target. All rows go backward together over the same bounds of the hidden layers.

Shapes: R rows, a target each; I inputs.
"""

from __future__ import annotations

from math import inf
from time import monotonic

import numpy as np

from marapatch.bounds.crown import ROW_BLOCK, linear_bounds, row_radii
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition

TRIES = 8
"""Radii tried at most."""

START = 0.1
"""The first of them, as a share of the first-order estimate of the least distance: so small that
bounds hardly ever fail there."""

NARROWING = 1.3
"""The search ends when the least radius not refuted is no more than so many times the largest that
is."""

NEAREST = 20
"""Rows for which the first-order estimate is made: those with the least to gain."""


def first_radii(form: StandardForm, ball: Ball, rows: OutputCondition, until: float) -> Array:
    """For each row of ``rows`` (not: for all together) a radius up to which no input of the box
    meets it: rigorous, outward-rounded, and 0 where nothing was proved. (rows,)

    ``ball``: its radius is the largest of interest. ``until``: when the monotonic clock says so,
    what was found by then is returned, of the first radius if that alone takes longer. Cost: one
    pass of linear bounds a radius.
    """
    proved = np.zeros(rows.rhs.size)
    if not proved.size:
        return proved
    low, high, failed = 0.0, ball.radius, False
    radius = min(START * _estimate(form, ball, rows), ball.radius)
    for count in range(TRIES):
        if not 0.0 < radius < inf or monotonic() >= until:
            break
        bounds = linear_bounds(form, ball.with_radius(radius), until)
        for block in _blocks(form, rows):
            if count and monotonic() >= until:
                break
            part = OutputCondition(rows.matrix[block], rows.rhs[block])
            # Each radius is a proof by itself, and a row keeps the best of all: a ball refuted in
            # part may prove more of one row than a smaller one that is refuted whole.
            proved[block] = np.maximum(proved[block], row_radii(form, bounds, part))
        least = float(proved.min())
        # No row's radius exceeds the ball's: the least is as large only where all rows are refuted
        # over the whole ball.
        whole = least >= radius
        low, high = (max(low, radius), high) if whole else (max(low, least), radius)
        failed = failed or not whole
        if low >= high or (low > 0.0 and high <= NARROWING * low):
            break
        doubled = float(np.sqrt(low * high)) if failed else min(2.0 * low, high)
        radius = doubled if low > 0.0 else 0.25 * radius
    return proved


def _blocks(form: StandardForm, rows: OutputCondition) -> list[slice]:
    size = max(1, ROW_BLOCK // max(*form.sizes, 1))
    return [slice(start, start + size) for start in range(0, rows.rhs.size, size)]


def _estimate(form: StandardForm, ball: Ball, rows: OutputCondition) -> float:
    """The first-order estimate of the distance at which some row is met; the ball's radius where
    no gradient says anything."""
    hidden, outputs = form.pre_activations(ball.centre[None])
    gap = -rows.slack(outputs)[0]
    nearest = np.argsort(gap, kind="stable")[:NEAREST]
    pattern = [np.repeat(z > 0.0, nearest.size, axis=0) for z in hidden]
    gradient = np.abs(form.pullback(pattern, rows.matrix[nearest]))
    down, up = ball.with_radius(inf).displacement_bounds
    gradient = gradient * ((down + up) > 0.0)
    # By the dual norm no step of length r changes the linear model by more than r times this.
    slope = ball.norm.dual(gradient)
    known = slope > 0.0
    if not known.any():
        return ball.radius
    return float((np.maximum(gap[nearest][known], 0.0) / slope[known]).min())
