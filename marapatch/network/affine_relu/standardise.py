"""From a DAG of layers to the standard form: affine maps are fused, the rest becomes ReLUs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.arithmetic.float_model import SAFE, SMALL, UNIT, least_size, underflow
from marapatch.errors import InputError, UnsupportedOperatorError
from marapatch.files.memory import afford
from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.layers import (
    Abs,
    Affine,
    Array,
    Clip,
    Concat,
    LeakyRelu,
    Matrix,
    Maximum,
    MaxPool,
    Relu,
    Sum,
    product_size,
)

DENSE_SHARE = 0.25
"""A matrix with a larger share of non-zeros than this is kept dense."""


@dataclass(frozen=True)
class _Form:
    """A vector as an affine form over the sources, with absolute errors of its coefficients."""

    weights: dict[int, Matrix]
    errors: dict[int, Matrix]  # a missing source is exact
    bias: Array
    bias_error: Array

    def freeze(self) -> AffineMap:
        sources = tuple(sorted(self.weights))
        weights = tuple(_compact(self.weights[s]) for s in sources)
        errors = tuple(_compact(self.errors[s]) if s in self.errors else None for s in sources)
        # Refused rather than bounded: further on infinity less infinity is NaN, and every
        # comparison with that is false.
        numbers = [self.bias, self.bias_error, *weights, *(e for e in errors if e is not None)]
        if not all(np.isfinite(n.data if sp.issparse(n) else n).all() for n in numbers):
            raise InputError(
                "a product of the weights of consecutive layers overflows float64: the network "
                "cannot be bounded; rescale its weights"
            )
        return AffineMap(sources, weights, self.bias, errors, self.bias_error)


def standardise(
    graph: nx.DiGraph, order: Sequence[str], input_node: str, output_node: str, inputs: int
) -> StandardForm:
    """Rewrite a network as :class:`StandardForm`; exact up to the stated coefficient errors.

    Raises InputError where a product of consecutive layers overflows.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # refused below, where it matters
        return _standardised(graph, order, input_node, output_node, inputs)


def _standardised(
    graph: nx.DiGraph, order: Sequence[str], input_node: str, output_node: str, inputs: int
) -> StandardForm:
    builder = _Builder(inputs)
    forms: dict[str, _Form] = {input_node: builder.source(0)}
    for node in order:
        if node == input_node:
            continue
        data = graph.nodes[node]
        forms[node] = builder.apply(node, data["layer"], [forms[p] for p in data["inputs"]])
    return StandardForm(inputs, tuple(builder.hidden), forms[output_node].freeze())


class _Builder:
    def __init__(self, inputs: int) -> None:
        self.sizes = [inputs]
        self.hidden: list[AffineMap] = []

    def source(self, number: int) -> _Form:
        size = self.sizes[number]
        return _Form({number: sp.eye_array(size, format="csr")}, {}, np.zeros(size), np.zeros(size))

    def relu(self, form: _Form) -> _Form:
        # The errors stay with the map; what leaves the ReLU is a source of its own, without any.
        self.hidden.append(form.freeze())
        self.sizes.append(form.bias.size)
        return self.source(len(self.hidden))

    def apply(self, node: str, layer: object, inputs: list[_Form]) -> _Form:
        match layer:
            case Affine():
                return _affine(layer, inputs[0])
            case Relu():
                return self.relu(inputs[0])
            case LeakyRelu(slope=slope):
                return _sum((slope, 1.0 - slope), [inputs[0], self.relu(inputs[0])])
            case Abs():
                return _sum((-1.0, 2.0), [inputs[0], self.relu(inputs[0])])
            case Clip(low=low, high=high):
                return self.clip(inputs[0], low, high)
            case MaxPool(groups=groups):
                columns = [_select(inputs[0], groups[:, k]) for k in range(groups.shape[1])]
                return self.maximum(columns)
            case Maximum():
                return self.maximum(inputs)
            case Sum(coefficients=coefficients):
                return _sum(coefficients, inputs)
            case Concat():
                return _concat(inputs)
            case _:
                raise UnsupportedOperatorError(
                    f"{node}: {type(layer).__name__} is not piecewise linear here"
                )

    def clip(self, x: _Form, low: float, high: float) -> _Form:
        """low + relu(x - low) - relu(x - high), each part only where its bound is finite."""
        # A part with an infinite bound would put infinity into the bias; without it clip is the
        # rest.
        if not isfinite(low):
            return x if not isfinite(high) else _sum((1.0, -1.0), [x, self.relu(_shift(x, -high))])
        lower = _shift(self.relu(_shift(x, -low)), low)
        if not isfinite(high):
            return lower
        return _sum((1.0, -1.0), [lower, self.relu(_shift(x, -high))])

    def maximum(self, forms: list[_Form]) -> _Form:
        """A tournament; the pairs of a round share one ReLU layer, so that the form stays flat."""
        while len(forms) > 1:
            half = len(forms) // 2
            left = _concat(forms[:half])
            right = _concat(forms[half : 2 * half])
            winners = _sum((1.0, 1.0), [self.relu(_sum((1.0, -1.0), [left, right])), right])
            size = winners.bias.size // half
            parts = [_select(winners, np.arange(i * size, (i + 1) * size)) for i in range(half)]
            forms = parts + forms[2 * half :]
        return forms[0]


def _compact(matrix: Matrix) -> Matrix:
    """Dense or sparse, whichever suits the share of non-zeros."""
    if sp.issparse(matrix):
        full = matrix.shape[0] * matrix.shape[1]
        return matrix.toarray() if matrix.nnz > DENSE_SHARE * full else matrix
    return matrix


def _products_are_single(matrix: Matrix) -> bool:
    """Whether each row has at most one non-zero, so that a product with it has no sums."""
    if sp.issparse(matrix):
        return bool((np.diff(matrix.indptr) <= 1).all())
    return bool((np.count_nonzero(matrix, axis=1) <= 1).all())


def _is_selection(matrix: Matrix) -> bool:
    """Whether the matrix only picks entries or sets them to 0: then products with it are exact."""
    # One product a row, by 0, 1 or -1: neither it nor a sum of it alone is rounded.
    values = matrix.data if sp.issparse(matrix) else np.asarray(matrix)
    return _products_are_single(matrix) and bool(np.isin(values, (0.0, 1.0, -1.0)).all())


def _is_placement(matrix: Matrix) -> bool:
    """Whether each column has at most one entry, 1 or -1: then products *by* it are exact.

    Not the same as a selection: where a selection takes an entry twice, the product adds up.
    """
    if sp.issparse(matrix):
        values = matrix.data
        single = bool((np.bincount(matrix.indices, minlength=1) <= 1).all())
    else:
        values = np.asarray(matrix)
        single = bool((np.count_nonzero(values, axis=0) <= 1).all())
    return single and bool(np.isin(values, (0.0, 1.0, -1.0)).all())


def _affine(layer: Affine, x: _Form) -> _Form:
    """``layer`` after ``x``; bounds the rounding of the fused coefficients.

    A product of float64 matrices with inner length n is off by at most n u (|A| |B|) to first
    order; 2 (n + 2) u covers the rest, and :func:`underflow` what underflows. Exact where either
    factor is a selection.
    """
    outer = layer.weight
    terms = 2.0 * (outer.shape[1] + 2) * UNIT
    weights: dict[int, Matrix] = {}
    errors: dict[int, Matrix] = {}
    exact_outer = _is_selection(outer)
    for s, inner in x.weights.items():
        afford("the product of two affine layers", 4 * product_size(outer, inner))
        weights[s] = outer @ inner
        parts = []
        if not (exact_outer or _is_placement(inner)):
            parts.append((abs(outer) @ abs(inner)) * terms)
            parts.append(underflow(outer, inner))
        if s in x.errors:
            # The true inner coefficients are within their errors: outer (inner + e) differs from
            # outer inner by at most |outer| |e|.
            parts.append((abs(outer) @ x.errors[s]) * (1.0 + terms))
            # Times 1 an error stays what it is; else its product may underflow to 0 and be lost.
            parts.append(None if exact_outer else underflow(outer, x.errors[s]))
        for part in parts:
            if part is not None:
                errors[s] = _add(errors.get(s), part)
    bias = np.asarray(outer @ x.bias) + layer.bias
    bias_error = np.asarray(abs(outer) @ x.bias_error) * (1.0 + terms)
    # Where nothing came in, the bias is the layer's own, plus 0: not rounded.
    if np.any(x.bias):
        bias_error = bias_error + terms * (np.asarray(abs(outer) @ np.abs(x.bias)) + np.abs(bias))
    for lost in (underflow(outer, x.bias), underflow(outer, x.bias_error)):
        if lost is not None:
            bias_error = bias_error + lost
    return _Form(weights, errors, bias, bias_error)


def _sum(coefficients: Sequence[float], forms: Sequence[_Form]) -> _Form:
    """``sum_i c_i form_i``; each addition of overlapping coefficients rounds once."""
    weights: dict[int, Any] = {}
    errors: dict[int, Any] = {}
    bias = np.zeros(forms[0].bias.size)
    bias_error = np.zeros(forms[0].bias.size)
    rounding = 2.0 * (len(forms) + 2) * UNIT
    for c, form in zip(coefficients, forms, strict=True):
        # A change of sign or of the exponent rounds nothing.
        exact = c in (1.0, -1.0, 2.0)
        for s, weight in form.weights.items():
            part = weight * c
            if s in form.errors:
                carried = form.errors[s] * (abs(c) * (1.0 + rounding))
                errors[s] = _add(errors.get(s), carried)
                errors[s] = _add(errors[s], _scaled_underflow(c, form.errors[s]))
            # u |sum| <= u (|part| + |what was there|) for the addition, and as much for the
            # product: `rounding` is 6 u or more.
            if s in weights or not exact:
                errors[s] = _add(errors.get(s), (abs(part) + abs(weights.get(s, part))) * rounding)
            if not exact:
                errors[s] = _add(errors[s], _scaled_underflow(c, weight))
            weights[s] = _add(weights.get(s), part)
        bias_error = bias_error + abs(c) * (1.0 + rounding) * form.bias_error
        # The product of a small error and c may underflow to 0, and the error with it.
        bias_error = bias_error + SMALL * (form.bias_error > 0.0)
        if np.any(form.bias):
            bias_error = bias_error + rounding * (np.abs(bias) + np.abs(c * form.bias))
            if not exact:
                bias_error = bias_error + SMALL * (form.bias != 0.0)
        bias = bias + c * form.bias
    return _Form(weights, errors, bias, bias_error)


def _scaled_underflow(factor: float, matrix: Matrix) -> Any:
    """What ``factor * matrix`` and a rounding error of it may lose to underflow, by entry, or
    None."""
    if abs(factor) * least_size(matrix) >= SAFE:
        return None
    return (matrix != 0.0) * SMALL


def _add(left: Any, right: Any) -> Any:
    if left is None or right is None:
        return right if left is None else left
    return left + right


def _shift(form: _Form, amount: float) -> _Form:
    error = form.bias_error
    # u |a + b| <= u (|a| + |b|), twice, for the rounding of this bound; no absolute term, since a
    # sum that is small enough to be subnormal is exact.
    if amount != 0.0:
        error = error + 2.0 * UNIT * (np.abs(form.bias) + abs(amount))
    return _Form(form.weights, form.errors, form.bias + amount, error)


def _select(form: _Form, rows: NDArray[np.int64]) -> _Form:
    return _Form(
        {s: w[rows] for s, w in form.weights.items()},
        {s: e[rows] for s, e in form.errors.items()},
        form.bias[rows],
        form.bias_error[rows],
    )


def _concat(forms: Sequence[_Form]) -> _Form:
    # A part that does not take of a source has zeros there, and a part that is exact zeros for
    # errors: rows stay where they are.
    sources = sorted({s for form in forms for s in form.weights})
    return _Form(
        {s: _stack([form.weights.get(s) for form in forms], forms) for s in sources},
        {
            s: _stack([form.errors.get(s) for form in forms], forms, columns=_columns(forms, s))
            for s in sources
            if any(s in form.errors for form in forms)
        },
        np.concatenate([form.bias for form in forms]),
        np.concatenate([form.bias_error for form in forms]),
    )


def _columns(forms: Sequence[_Form], source: int) -> int:
    return next(int(f.weights[source].shape[1]) for f in forms if source in f.weights)


def _stack(
    parts: list[Matrix | None], forms: Sequence[_Form], columns: int | None = None
) -> Matrix:
    width = columns if columns is not None else next(p.shape[1] for p in parts if p is not None)
    blocks = [
        sp.csr_array((form.bias.size, width)) if part is None else sp.csr_array(part)
        for part, form in zip(parts, forms, strict=True)
    ]
    return sp.csr_array(sp.vstack(blocks, format="csr"))
