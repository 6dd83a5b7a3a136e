"""Marking: which way a change can help, from the signs along all paths (ARCHITECTURE: 6.6).

Source: Elboher, Gottschlich, Katz, "An Abstraction-Based Framework for Neural Network
Verification", CAV 2020, section 3, without splitting neurons: what has mixed paths has no mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.layers import Matrix
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition

Flags = NDArray[np.bool_]


def marked(form: StandardForm, condition: OutputCondition, ball: Ball) -> Ball:
    """``ball`` without the changes that no nearest point needs.

    Where every path from an entry to every row of the condition has one sign, the rows are
    monotone in the entry: moving it against that sign and back to 0 keeps the condition and
    never makes the change larger, in L1 and in L-infinity. So half of its range (all of it, where
    there is no path) can go and the optimum stays. ``ball`` must be around 0. A coefficient whose
    sign is lost in its error counts as both signs.
    """
    up, down = signs(form, condition)
    lower = np.where(up & ~down, np.maximum(ball.lower, 0.0), ball.lower)
    upper = np.where(down & ~up, np.minimum(ball.upper, 0.0), ball.upper)
    still = ~up & ~down
    lower, upper = np.where(still, 0.0, lower), np.where(still, 0.0, upper)
    return replace(ball, lower=lower, upper=upper)


def signs(form: StandardForm, condition: OutputCondition) -> tuple[Flags, Flags]:
    """By input of ``form``: whether a path of positive, and one of negative sign leads to a row."""
    return layer_signs(form, condition)[0]


def layer_signs(form: StandardForm, condition: OutputCondition) -> tuple[tuple[Flags, Flags], ...]:
    """:func:`signs` of the input, of every ReLU's output, layer by layer, and of the outputs."""
    up = [np.zeros(size, dtype=bool) for size in form.sizes]
    down = [np.zeros(size, dtype=bool) for size in form.sizes]
    rises = np.asarray((condition.matrix > 0.0).any(axis=0))
    falls = np.asarray((condition.matrix < 0.0).any(axis=0))
    _collect(form.output, rises, falls, up, down)
    for k in range(len(form.hidden), 0, -1):
        _collect(form.hidden[k - 1], up[k], down[k], up, down)
    return (*zip(up, down, strict=True), (rises, falls))


def _collect(
    layer: AffineMap, rises: Flags, falls: Flags, up: Sequence[Flags], down: Sequence[Flags]
) -> None:
    for source, weight, error in zip(
        layer.sources, layer.weights, layer.weight_errors, strict=True
    ):
        wrong = 0.0 * abs(weight) if error is None else error
        positive, negative = weight + wrong > 0.0, weight - wrong < 0.0
        up[source][:] |= _any(positive, rises) | _any(negative, falls)
        down[source][:] |= _any(negative, rises) | _any(positive, falls)


def _any(flags: Matrix, rows: Flags) -> Flags:
    """By column: whether a flag is set in one of ``rows``."""
    return np.asarray(flags.T @ rows.astype(np.float64) > 0.0)
