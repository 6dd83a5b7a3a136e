"""A network as affine maps and ReLUs, put together again for :mod:`marapatch.certificates.recheck`.

The same rewriting as :mod:`marapatch.network.affine_relu.standardise`, and on purpose none of its
code: what the search believes of the fused coefficients is not believed here. The layers as read
are all that is shared, and the order in which ReLU layers come, since records number neurons by it:
nodes in the network's order of evaluation, and within one node as `maximum` and `clip` below say.

Every vector of the network is kept as one affine form over the columns (input, ReLU layer 1, 2,
...), and every stored coefficient c with an error e: the true one lies within [c - e, c + e].
The model of arithmetic is that of :mod:`marapatch.arithmetic.float_model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.arithmetic.float_model import gamma
from marapatch.certificates.recheck_least import SMALL
from marapatch.errors import InputError, UnsupportedOperatorError
from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.graph import Network
from marapatch.network.layers import (
    Abs,
    Affine,
    Array,
    Clip,
    Concat,
    Layer,
    LeakyRelu,
    Matrix,
    Maximum,
    MaxPool,
    Relu,
    Sum,
)

DENSE_SHARE = 0.25
"""A matrix with a larger share of non-zeros than this is handed on dense."""


@dataclass(frozen=True, eq=False)
class _Vector:
    """``weight @ columns + bias``, up to ``error`` and ``bias_error`` entry by entry.

    ``weight``, ``error``: csr (size, columns so far); the bias: (size,).
    """

    weight: Matrix
    error: Matrix
    bias: Array
    bias_error: Array

    @property
    def size(self) -> int:
        return int(self.bias.size)

    def rows(self, which: NDArray[np.int64]) -> _Vector:
        """Entries ``which`` of the vector: nothing is rounded."""
        return _Vector(
            self.weight[which], self.error[which], self.bias[which], self.bias_error[which]
        )

    def times(self, matrix: Matrix) -> _Vector:
        """``matrix @ self``, the matrix exact."""
        outer = sp.csr_array(matrix)
        size = abs(outer)
        terms = int(np.diff(outer.indptr).max(initial=0)) + 2
        weight, lost = _product(outer, self.weight)
        bias, bias_lost = _product(outer, sp.csr_array(self.bias[:, None]))
        error = lost + _enlarged(size, self.error, terms)
        bias_error = bias_lost + _enlarged(size, sp.csr_array(self.bias_error[:, None]), terms)
        return _Vector(weight, error, _column(bias), _column(bias_error))

    def plus(self, other: _Vector) -> _Vector:
        """The sum; where two numbers other than 0 meet, it is rounded."""
        weight = _wide(self.weight, other) + _wide(other.weight, self)
        both = _pattern(_wide(self.weight, other)) * _pattern(_wide(other.weight, self))
        # u |sum| and no absolute term: a sum that is small enough to be subnormal is exact.
        lost = gamma(2) * abs(weight * both)
        error = (_wide(self.error, other) + _wide(other.error, self)) * (1.0 + gamma(2)) + lost
        bias = self.bias + other.bias
        rounded = (self.bias != 0.0) & (other.bias != 0.0)
        bias_error = (self.bias_error + other.bias_error) * (1.0 + gamma(2))
        bias_error = bias_error + gamma(2) * np.abs(bias) * rounded
        return _Vector(sp.csr_array(weight), sp.csr_array(error), bias, bias_error)

    def scaled(self, factor: float, doubt: float = 0.0) -> _Vector:
        """``c`` times this, where c is within a share ``doubt`` of ``factor``."""
        # A change of sign or of the exponent rounds nothing; what overflows is refused in `map_of`.
        if factor in (1.0, -1.0, 2.0) and not doubt:
            weight, bias = factor * self.weight, factor * self.bias
            return _Vector(weight, abs(factor) * self.error, bias, abs(factor) * self.bias_error)
        share, most = gamma(4) + 2.0 * doubt, abs(factor) * (1.0 + gamma(4) + 2.0 * doubt)
        weight, bias = self.weight * factor, self.bias * factor
        error = abs(weight) * share + SMALL * _pattern(self.weight)
        error = error + self.error * most + SMALL * _pattern(self.error)
        bias_error = np.abs(bias) * share + SMALL * (self.bias != 0.0)
        bias_error = bias_error + self.bias_error * most + SMALL * (self.bias_error > 0.0)
        return _Vector(sp.csr_array(weight), sp.csr_array(error), bias, bias_error)

    def moved(self, amount: float) -> _Vector:
        """``self + amount`` in every entry."""
        nothing = sp.csr_array((self.size, self.weight.shape[1]))
        shift = _Vector(nothing, nothing, np.full(self.size, amount), np.zeros(self.size))
        return self.plus(shift)


def form_of(network: Network) -> StandardForm:
    """The network's standard form, with bounds on every error of its coefficients.

    Cost: a few sparse products a layer. Raises UnsupportedOperatorError on a layer that is not
    piecewise linear, InputError where a coefficient overflows.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # refused where a map is made of it
        return _form_of(network)


def _form_of(network: Network) -> StandardForm:
    builder = _Builder(network.inputs)
    vectors = {network.input_node: builder.last()}
    # ReLU layers are numbered as this loop meets them: in another order a record's splits would be
    # of other neurons, and its multipliers refute next to nothing.
    for node in network.order:
        if node != network.input_node:
            taken = [vectors[name] for name in network.predecessors(node)]
            vectors[node] = builder.apply(node, network.layer(node), taken)
    output = builder.map_of(vectors[network.output_node])
    return StandardForm(network.inputs, tuple(builder.hidden), output)


class _Builder:
    def __init__(self, inputs: int) -> None:
        self.ends = [0, inputs]
        """Where the columns of each source begin and end."""
        self.hidden: list[AffineMap] = []

    def last(self) -> _Vector:
        """The newest source itself."""
        start, end = self.ends[-2:]
        weight = sp.csr_array(sp.eye_array(end - start, end, k=start, format="csr"))
        nothing = sp.csr_array(weight.shape)
        return _Vector(weight, nothing, np.zeros(end - start), np.zeros(end - start))

    def relu(self, vector: _Vector) -> _Vector:
        # The errors stay with the map: what leaves the ReLU is a source of its own, with none.
        self.hidden.append(self.map_of(vector))
        self.ends.append(self.ends[-1] + vector.size)
        return self.last()

    def map_of(self, vector: _Vector) -> AffineMap:
        """``vector`` by source; the input is one even where nothing of it is taken."""
        sources, weights, errors = [], [], []
        numbers = (vector.weight.data, vector.error.data, vector.bias, vector.bias_error)
        if not all(np.isfinite(part).all() for part in numbers):
            raise InputError(
                "products of the weights of consecutive layers overflow: they cannot be checked in "
                "float64"
            )
        pairs = zip(self.ends, self.ends[1:], strict=False)
        for source, (start, end) in enumerate(pairs):
            weight, error = vector.weight[:, start:end], vector.error[:, start:end]
            # A coefficient that cancelled to 0 may have an error, and a source left out has none.
            if source == 0 or weight.nnz or error.nnz:
                sources.append(source)
                weights.append(_compact(weight))
                errors.append(_compact(error) if error.nnz else None)
        return AffineMap(
            tuple(sources), tuple(weights), vector.bias, tuple(errors), vector.bias_error
        )

    def apply(self, node: str, layer: Layer, taken: Sequence[_Vector]) -> _Vector:
        x = taken[0]
        match layer:
            case Affine(weight=weight, bias=bias):
                nothing = sp.csr_array((bias.size, 1))
                return x.times(weight).plus(_Vector(nothing, nothing, bias, np.zeros(bias.size)))
            case Relu():
                return self.relu(x)
            case LeakyRelu(slope=slope):  # s x + (1 - s) relu(x); 1 - s is rounded
                return x.scaled(slope).plus(self.relu(x).scaled(1.0 - slope, gamma(0)))
            case Abs():  # 2 relu(x) - x
                return self.relu(x).scaled(2.0).plus(x.scaled(-1.0))
            case Clip(low=low, high=high):
                return self.clip(x, low, high)
            case MaxPool(groups=groups):
                return self.maximum([x.rows(groups[:, k]) for k in range(groups.shape[1])])
            case Maximum():
                return self.maximum(list(taken))
            case Sum(coefficients=coefficients):
                terms = [v.scaled(c) for c, v in zip(coefficients, taken, strict=True)]
                total = terms[0]
                for term in terms[1:]:
                    total = total.plus(term)
                return total
            case Concat():
                return _stacked(taken)
            case _:
                raise UnsupportedOperatorError(
                    f"{node}: {type(layer).__name__} cannot be checked: it is not piecewise linear"
                )

    def clip(self, x: _Vector, low: float, high: float) -> _Vector:
        """``low + relu(x - low) - relu(x - high)``, each part where its bound is finite."""
        # As low <= high the second ReLU is 0 wherever the first one is, so both may take x itself.
        below = self.relu(x.moved(-low)).moved(low) if isfinite(low) else x
        return below.plus(self.relu(x.moved(-high)).scaled(-1.0)) if isfinite(high) else below

    def maximum(self, forms: list[_Vector]) -> _Vector:
        """``max(a, b) = relu(a - b) + b``, round by round: the first half of those left against
        the second, all of them in one ReLU layer; an odd one waits for the next round."""
        while len(forms) > 1:
            half = len(forms) // 2
            first, second = _stacked(forms[:half]), _stacked(forms[half : 2 * half])
            won = self.relu(first.plus(second.scaled(-1.0))).plus(second)
            size = won.size // half
            parts = [won.rows(np.arange(i * size, (i + 1) * size)) for i in range(half)]
            forms = parts + forms[2 * half :]
        return forms[0]


def _product(outer: Matrix, inner: Matrix) -> tuple[Matrix, Matrix]:
    """``outer @ inner`` and a bound on what rounding takes from each entry.

    Exact where the one product of a sum has a factor 1 or -1: a selection, a change of sign.
    """
    there, held = _pattern(outer), _pattern(inner)
    count = sp.csr_array(there @ held)
    ones = sp.csr_array(_pattern(outer, ones=True) @ held + there @ _pattern(inner, ones=True))
    exact = _pattern(count, ones=True) * _pattern(ones)
    rounded = sp.csr_array(_pattern(count) - exact)
    size = sp.csr_array(abs(outer) @ abs(inner))
    terms = int(np.diff(outer.indptr).max(initial=0)) + 2
    # n products are off by gamma(n) |outer| |inner| and by what underflows of each, where they are
    # rounded at all. `size` is rounded too, which gamma, being twice what is needed, covers.
    lost = gamma(terms) * (size * rounded) + (SMALL * terms) * rounded
    return sp.csr_array(outer @ inner), sp.csr_array(lost)


def _enlarged(size: Matrix, error: Matrix, terms: int) -> Matrix:
    """At least ``size @ error``."""
    if not error.nnz:
        return sp.csr_array((size.shape[0], error.shape[1]))
    # By pattern: an error whose product underflows to 0 is still one.
    reached = _pattern(sp.csr_array(_pattern(size) @ _pattern(error)))
    return sp.csr_array((size @ error) * (1.0 + gamma(terms)) + (SMALL * terms) * reached)


def _pattern(matrix: Matrix, *, ones: bool = False) -> Matrix:
    """1 where an entry is other than 0 (``ones``: where it is 1 or -1), and nothing elsewhere."""
    kept = np.abs(matrix.data) == 1.0 if ones else matrix.data != 0.0
    # A copy: eliminate_zeros writes into the indices, which else are those of `matrix` itself.
    pattern = sp.csr_array(
        (kept.astype(np.float64), matrix.indices, matrix.indptr), shape=matrix.shape, copy=True
    )
    pattern.eliminate_zeros()
    return pattern


def _wide(matrix: Matrix, other: _Vector) -> Matrix:
    """``matrix`` with at least as many columns as ``other`` has."""
    # Columns that a vector lacks are of ReLU layers made after it: it takes nothing of them.
    columns = max(matrix.shape[1], other.weight.shape[1])
    return sp.csr_array(
        (matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], columns)
    )


def _stacked(vectors: Sequence[_Vector]) -> _Vector:
    widest = max(vectors, key=lambda vector: vector.weight.shape[1])
    return _Vector(
        sp.csr_array(sp.vstack([_wide(v.weight, widest) for v in vectors], format="csr")),
        sp.csr_array(sp.vstack([_wide(v.error, widest) for v in vectors], format="csr")),
        np.concatenate([v.bias for v in vectors]),
        np.concatenate([v.bias_error for v in vectors]),
    )


def _column(matrix: Matrix) -> Array:
    return np.asarray(matrix.toarray()).reshape(-1)


def _compact(matrix: Matrix) -> Matrix:
    full = matrix.shape[0] * matrix.shape[1]
    return matrix.toarray() if matrix.nnz > DENSE_SHARE * full else matrix
