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
from marapatch_encodings.terms import Constraint, Variable, VariablePool, dense_row

NEGLIGIBLE = 1e-9
"""What a form may be off by, as a share of its range and of 1: queries are relaxed by a thousand
times as much (:data:`marapatch.query.scaling.RELAXATION`), and solutions may miss as much."""


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


@dataclass(frozen=True, eq=False)
class _Layer:
    """Values of a layer as forms ``matrix @ variables + constant``.

    ``size``: a bound on the sum of the sizes of each form's terms; ``error``: on the distance of
    the form from the layer's true value, whatever values the variables have.
    """

    matrix: Matrix
    constant: Array
    size: Array
    error: Array


def lower_network(
    network: Network,
    matrix: Matrix,
    constant: Array,
    enclosure: Enclosure,
    pool: VariablePool,
    constraints: list[Constraint],
) -> tuple[Matrix, Array]:
    """The outputs as forms over the pool's variables: (csr matrix, constants).

    ``matrix``, ``constant``: the input as such forms. Where layers are put together and their
    numbers cancel, the rounded coefficients may be far from the true ones: a form that may be off
    by more than a share :data:`NEGLIGIBLE` of its range gets a variable for that, so that the true
    values are among those of the query. Cost: 2 variables, 1 ReLU and 1 row a neuron that the
    bounds leave unstable, and 1 variable a form that is so inexact.
    """
    form = network.standard_form
    known = [linear_bounds(form, ball) for ball in enclosure.balls]
    box = enclosure.balls[0]
    largest = [np.maximum(np.abs(box.lower), np.abs(box.upper))]
    size = abs(matrix) @ _sizes(pool) + np.abs(constant)
    values = [_Layer(matrix, constant, size, np.zeros(constant.size))]
    for k, layer in enumerate(form.hidden):
        z = _apply(layer, values, largest, pool)
        low, high = _meet(known, k)
        active, unstable = low >= 0.0, (low < 0.0) & (high > 0.0)
        chosen = np.flatnonzero(unstable)
        outputs = []
        for j in chosen:
            part = slice(z.matrix.indptr[j], z.matrix.indptr[j + 1])
            t = pool.fresh(f"z{k + 1}[{j}]", float(low[j]), float(high[j]))
            columns, data = [*z.matrix.indices[part], t], [*z.matrix.data[part], -1.0]
            if _matters(z.error[j], max(-low[j], high[j])):
                columns, data = [*columns, _off(pool, t, z.error[j])], [*data, 1.0]
            constraints.append(dense_row(columns, data, "=", -float(z.constant[j])))
            encoding = relu(pool, t)
            constraints += encoding.constraints
            outputs.append(int(encoding.variable))
        width = len(pool)
        keep = sp.dia_array((active.astype(float)[None], [0]), shape=(low.size, low.size))
        at = (chosen, np.array(outputs, np.int64))
        fresh = sp.csr_array((np.ones(chosen.size), at), shape=(low.size, width))
        largest.append(np.maximum(high, 0.0))
        values.append(
            _Layer(
                sp.csr_array(widened(sp.csr_array(keep @ z.matrix), width) + fresh),
                z.constant * active,
                np.where(active, z.size, largest[-1]),
                np.where(active, z.error, 0.0),
            )
        )
    y = _apply(form.output, values, largest, pool)
    low, high = _meet(known, len(form.hidden))
    wrong = [j for j in range(low.size) if _matters(y.error[j], max(abs(low[j]), abs(high[j])))]
    off = [int(_off(pool, None, y.error[j])) for j in wrong]
    width = len(pool)
    missing = sp.csr_array((np.ones(len(off)), (wrong, off)), shape=(low.size, width))
    return sp.csr_array(widened(y.matrix, width) + missing), y.constant


def _matters(error: float, size: float) -> bool:
    """Whether an error is more than what solvers are relaxed by and solutions may miss."""
    return not error <= NEGLIGIBLE * min(size, 1.0)


def _off(pool: VariablePool, of: Variable | None, error: float) -> Variable:
    """By how much a form may be off."""
    name = "output" if of is None else pool.name(of)
    return pool.fresh(f"error of {name}", -float(error), float(error))


def _sizes(pool: VariablePool) -> Array:
    return np.maximum(np.abs(pool.lower), np.abs(pool.upper))


def _apply(
    layer: AffineMap, values: list[_Layer], largest: list[Array], pool: VariablePool
) -> _Layer:
    """``layer`` of the layers before it, whose values are at most ``largest`` in size."""
    width = len(pool)
    total = sp.csr_array((layer.outputs, width))
    offset = np.array(layer.bias)
    # Every product and sum below is rounded relatively to terms that add up to at most ``size``.
    _, error = layer.magnitude(largest)
    size = np.abs(layer.bias)
    for source, weight in zip(layer.sources, layer.weights, strict=True):
        inner = values[source]
        total = total + sp.csr_array(sp.csr_array(weight) @ widened(inner.matrix, width))
        offset = offset + weight @ inner.constant
        error = error + abs(weight) @ inner.error
        size = size + abs(weight) @ inner.size
    rows = sp.csr_array(total)
    rows.sum_duplicates()
    operations = layer.terms + len(layer.sources) + 4
    error = (error + gamma(operations) * size + SMALL) * (1.0 + gamma(operations + 16))
    own = abs(rows) @ _sizes(pool) + np.abs(offset)
    return _Layer(rows, offset, np.asarray(own), np.where(np.isnan(error), inf, error))


def _meet(known: list[Bounds], k: int) -> tuple[Array, Array]:
    """The tightest of several bounds of layer ``k``, the outputs last; contradictions are left to
    the rows."""
    pairs = [[*zip(b.lower, b.upper, strict=True), b.output][k] for b in known]
    low = np.maximum.reduce([pair[0] for pair in pairs])
    high = np.minimum.reduce([pair[1] for pair in pairs])
    crossed = low > high
    return np.where(crossed, pairs[0][0], low), np.where(crossed, pairs[0][1], high)
