"""The layers a network is made of, as functions on flat float64 vectors.

Every layer maps arrays of shape (batch, inputs) to (batch, outputs). Shapes of images exist only
in the reader; here an affine map is a matrix, dense or sparse, whatever operator it came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from marapatch.errors import InputError
from marapatch.network.parameters import Parameters

Array = NDArray[np.float64]
Matrix: TypeAlias = Any
"""A float64 matrix (outputs, inputs): an ndarray, or a scipy.sparse csr_array (untyped)."""


def freeze(values: ArrayLike, what: str) -> Array:
    """A read-only float64 copy of ``values``; InputError where an entry is NaN or infinite."""
    array = np.array(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise InputError(f"{what}: contains NaN or infinity")
    array.flags.writeable = False
    return array


def freeze_matrix(values: Matrix, what: str) -> Matrix:
    """A read-only copy of a matrix, checked finite; stays sparse where it is sparse."""
    if not sp.issparse(values):
        return freeze(values, what)
    matrix = sp.csr_array(values, dtype=np.float64, copy=True)
    matrix.sum_duplicates()
    if not np.isfinite(matrix.data).all():
        raise InputError(f"{what}: contains NaN or infinity")
    for part in (matrix.data, matrix.indices, matrix.indptr):
        part.flags.writeable = False
    return matrix


def product_size(outer: Matrix, inner: Matrix) -> int:
    """A bound on the bytes of ``outer @ inner``, from the shapes and the numbers of non-zeros."""
    full = int(outer.shape[0]) * int(inner.shape[1])
    if not (sp.issparse(outer) and sp.issparse(inner)):
        return 8 * full
    columns = np.bincount(sp.csr_array(outer).indices, minlength=outer.shape[1])
    rows = np.diff(sp.csr_array(inner).indptr)
    return 16 * min(full, int(columns.astype(np.float64) @ rows.astype(np.float64)))


class Layer(Protocol):
    """A function of one or several flat arrays."""

    def __call__(self, *inputs: Array) -> Array:
        """Apply to arrays of shape (batch, n_i); returns (batch, outputs)."""
        ...


@dataclass(frozen=True, eq=False)
class Affine:
    """``weight @ x + bias``: fully connected, convolution, average pool, normalisation, reshape.

    ``weight``: (outputs, inputs), dense or sparse. ``bias``: (outputs,). ``parameters``: the free
    numbers the layer is made of, None where it cannot be patched (a pool, a reshuffle, a
    normalisation, weights shared with another layer).
    """

    weight: Matrix
    bias: Array
    parameters: Parameters | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", freeze_matrix(self.weight, "weights"))
        object.__setattr__(self, "bias", freeze(self.bias, "bias"))
        if self.bias.shape != (self.weight.shape[0],):
            raise InputError(
                f"bias has shape {self.bias.shape}, the weights {self.weight.shape} need "
                f"({self.weight.shape[0]},)"
            )

    def __call__(self, *inputs: Array) -> Array:
        (x,) = inputs
        return np.asarray((self.weight @ x.T).T + self.bias)

    def replaced(self, weight: ArrayLike | None = None, bias: ArrayLike | None = None) -> Affine:
        """The same layer with other free numbers (shapes as in ``parameters``), rounded to the
        type in which the file holds them; InputError where the layer cannot be patched."""
        if self.parameters is None:
            raise InputError("the layer has no parameters of its own, so it cannot be patched")
        matrix, offset = self.weight, self.bias
        if weight is not None:
            matrix = self.parameters.expand_weight(weight, self.weight.shape[1])
        if bias is not None:
            offset = self.parameters.expand_bias(bias)
        return Affine(matrix, offset, self.parameters)


@dataclass(frozen=True)
class Relu:
    """``max(x, 0)``, entry by entry."""

    def __call__(self, *inputs: Array) -> Array:
        (x,) = inputs
        return np.maximum(x, 0.0)


@dataclass(frozen=True)
class LeakyRelu:
    """``x`` where positive, ``slope * x`` elsewhere; any finite slope."""

    slope: float

    def __call__(self, *inputs: Array) -> Array:
        (x,) = inputs
        return np.where(x >= 0.0, x, self.slope * x)


@dataclass(frozen=True)
class Abs:
    """``|x|``, entry by entry."""

    def __call__(self, *inputs: Array) -> Array:
        (x,) = inputs
        return np.abs(x)


@dataclass(frozen=True)
class Clip:
    """``min(max(x, low), high)``; either bound may be infinite."""

    low: float
    high: float

    def __call__(self, *inputs: Array) -> Array:
        (x,) = inputs
        return np.clip(x, self.low, self.high)


@dataclass(frozen=True, eq=False)
class MaxPool:
    """``max`` over groups of entries. ``groups``: int64 (outputs, k), indices into the input.

    A group with fewer than k members repeats one of them.
    """

    groups: NDArray[np.int64]

    def __call__(self, *inputs: Array) -> Array:
        (x,) = inputs
        return np.asarray(x[:, self.groups].max(axis=2))


@dataclass(frozen=True)
class Maximum:
    """The entry-wise maximum of several arrays of one size."""

    def __call__(self, *inputs: Array) -> Array:
        return np.asarray(np.maximum.reduce(inputs))


@dataclass(frozen=True)
class Sum:
    """``sum_i coefficients[i] * inputs[i]``: residual connections, differences of branches."""

    coefficients: tuple[float, ...]

    def __call__(self, *inputs: Array) -> Array:
        terms = (c * x for c, x in zip(self.coefficients, inputs, strict=True))
        return np.asarray(sum(terms))


@dataclass(frozen=True)
class Concat:
    """The entries of the inputs, one after the other (a reshuffle, if any, is an Affine after)."""

    def __call__(self, *inputs: Array) -> Array:
        return np.concatenate(inputs, axis=1)
