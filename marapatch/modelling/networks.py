"""A network inside a problem: bounds over what its input can be, then only unstable neurons."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
import scipy.sparse as sp

from marapatch.arithmetic.float_model import SMALL, gamma
from marapatch.bounds.bounds import Bounds
from marapatch.bounds.crown import linear_bounds
from marapatch.modelling.definitions import NormOf
from marapatch.modelling.expressions import Comparison, Expression
from marapatch.modelling.matrices import widened
from marapatch.modelling.model import Model
from marapatch.network.affine_relu.standard_form import AffineMap
from marapatch.network.graph import Network
from marapatch.network.layers import Array, Matrix
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm
from marapatch_encodings.relu import relu
from marapatch_encodings.terms import Constraint, VariablePool, dense_row


@dataclass(frozen=True, eq=False)
class Enclosure:
    """Sets that contain a network's input: a box, and balls of required norms within it."""

    balls: tuple[Ball, ...]

    @staticmethod
    def of(model: Model, inputs: Expression, low: Array, high: Array) -> Enclosure:
        """The box ``[low, high]`` cut by conditions ``norm(inputs - centre) <= radius``."""
        limits = [limit for c in model.conditions if (limit := _limit(model, c, inputs))]
        for norm, centre, radius in limits:
            if norm is Norm.LINF:
                reach = radius * (1.0 + gamma(8)) + gamma(8) * np.abs(centre)
                low, high = np.maximum(low, centre - reach), np.minimum(high, centre + reach)
        high = np.maximum(low, high)  # a contradiction is left for the rows to show
        balls = [_box(low, high)]
        for norm, centre, radius in limits:
            if norm is Norm.L1 and ((low <= centre) & (centre <= high)).all():
                balls.append(Ball(centre, low, high, Norm.L1, radius))
        return Enclosure(tuple(balls))


def _box(low: Array, high: Array) -> Ball:
    middle = np.clip(0.5 * low + 0.5 * high, low, high)
    box = Ball.of_box(middle, low, high)
    return box.with_radius(box.covering_radius)


def output_bounds(network: Network, low: Array, high: Array) -> tuple[Array, Array]:
    """Bounds on the outputs over the box ``[low, high]``, rounded outward; infinite where the box
    is."""
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return np.full(network.outputs, -inf), np.full(network.outputs, inf)
    return linear_bounds(network.standard_form, _box(low, high)).output


def _limit(model: Model, condition: object, inputs: Expression) -> tuple[Norm, Array, float] | None:
    """(norm, centre, radius) where ``condition`` says ``norm(inputs - centre) <= radius``.

    The radius is rounded up, the centre is exact in the sense that ``inputs`` and the norm's
    argument differ by it up to rounding, which the radius covers.
    """
    found = norm_limit(model, condition)
    if found is None:
        return None
    argument = found[0].inputs
    if argument.size != inputs.size:
        return None
    width = max(argument.matrix.shape[1], inputs.matrix.shape[1])
    if (argument.rows(width) - inputs.rows(width)).count_nonzero():
        return None
    centre = inputs.constant - argument.constant
    rounding = gamma(4) * float((np.abs(inputs.constant) + np.abs(argument.constant)).sum())
    radius = float(np.nextafter(found[1] + rounding, inf))
    return (Norm.LINF if found[0].form is None else Norm.L1), centre, radius


def norm_limit(model: Model, condition: object) -> tuple[NormOf, float] | None:
    """(the norm, radius) where ``condition`` says ``norm(...) <= radius``; the radius rounded up,
    and 0 where it is negative."""
    if not isinstance(condition, Comparison) or condition.expression.size != 1:
        return None
    row, constant = condition.expression.matrix, float(condition.expression.constant[0])
    if row.nnz != 1:
        return None
    factor = float(row.data[0])
    if condition.sense == "=" or (condition.sense == "<=") != (factor > 0.0):
        return None
    for start, definition in model.definitions:
        if start == int(row.indices[0]) and isinstance(definition, NormOf):
            return definition, max(-constant / factor, 0.0) * (1.0 + gamma(2)) + SMALL
    return None


def lower_network(
    network: Network,
    matrix: Matrix,
    constant: Array,
    enclosure: Enclosure,
    pool: VariablePool,
    constraints: list[Constraint],
) -> tuple[Matrix, Array]:
    """The outputs as forms over the pool's variables: (csr matrix, constants).

    ``matrix``, ``constant``: the input as such forms. Exact in the float64 numbers of the
    standard form. Cost: 2 variables, 1 ReLU and 1 row a neuron that the bounds leave unstable.
    """
    form = network.standard_form
    known = [linear_bounds(form, ball) for ball in enclosure.balls]
    values = [(matrix, constant)]
    for k, layer in enumerate(form.hidden):
        z, offset = _apply(layer, values, len(pool))
        low, high = _meet(known, k)
        active, unstable = low >= 0.0, (low < 0.0) & (high > 0.0)
        chosen = np.flatnonzero(unstable)
        outputs = []
        for j in chosen:
            part = slice(z.indptr[j], z.indptr[j + 1])
            t = pool.fresh(f"z{k + 1}[{j}]", float(low[j]), float(high[j]))
            columns, data = [*z.indices[part], t], [*z.data[part], -1.0]
            constraints.append(dense_row(columns, data, "=", -float(offset[j])))
            encoding = relu(pool, t)
            constraints += encoding.constraints
            outputs.append(int(encoding.variable))
        width = len(pool)
        keep = sp.dia_array((active.astype(float)[None], [0]), shape=(low.size, low.size))
        at = (chosen, np.array(outputs, np.int64))
        fresh = sp.csr_array((np.ones(chosen.size), at), shape=(low.size, width))
        values.append(
            (sp.csr_array(widened(sp.csr_array(keep @ z), width) + fresh), offset * active)
        )
    return _apply(form.output, values, len(pool))


def _apply(
    layer: AffineMap, values: list[tuple[Matrix, Array]], width: int
) -> tuple[Matrix, Array]:
    total = sp.csr_array((layer.outputs, width))
    offset = np.array(layer.bias)
    for source, weight in zip(layer.sources, layer.weights, strict=True):
        inner, constant = values[source]
        total = total + sp.csr_array(sp.csr_array(weight) @ widened(inner, width))
        offset = offset + weight @ constant
    rows = sp.csr_array(total)
    rows.sum_duplicates()
    return rows, offset


def _meet(known: list[Bounds], k: int) -> tuple[Array, Array]:
    """The tightest of several bounds of layer ``k``; contradictions are left to the rows."""
    low = np.maximum.reduce([bounds.lower[k] for bounds in known])
    high = np.minimum.reduce([bounds.upper[k] for bounds in known])
    crossed = low > high
    return np.where(crossed, known[0].lower[k], low), np.where(crossed, known[0].upper[k], high)
