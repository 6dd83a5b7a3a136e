"""Which numbers of a network an affine layer is made of, so that they can be replaced."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from marapatch.errors import InputError

Positions = NDArray[np.int64]


class Kind(Enum):
    """The form in which a network holds the weights of an affine layer."""

    DENSE = "dense"
    """Built here or read from .nnet: a matrix (outputs, inputs) and a bias."""
    GEMM = "gemm"
    """ONNX Gemm."""
    MATMUL = "matmul"
    """ONNX MatMul, with the Add that follows it as its bias."""
    CONV = "conv"
    """ONNX Conv."""


def _positions(values: ArrayLike) -> Positions:
    array: Positions = np.array(values, dtype=np.int64)
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Stored:
    """Where an array of parameters stands in the file.

    ``name``: the tensor. ``dtype``: its type; replaced numbers are rounded to it. ``positions``:
    for each parameter, its position in the flat tensor; no position occurs twice.
    """

    name: str
    dtype: np.dtype[np.floating]
    positions: Positions

    def __post_init__(self) -> None:
        object.__setattr__(self, "positions", _positions(self.positions))
        if np.bincount(self.positions.reshape(-1), minlength=1).max() > 1:
            raise InputError(f"tensor {self.name!r}: one number stands for several parameters")


@dataclass(frozen=True, eq=False)
class Sharing:
    """Parameters that are used at several places, as in a convolution.

    The layer's matrix is ``A[rows[j], columns[j]] = weight.flat[entries[j]]`` and 0 elsewhere;
    its bias is ``b[i] = bias.flat[biases[i]]``. Sorted by row, then column, no place twice: the
    order in which a csr matrix holds its numbers.
    """

    rows: Positions
    columns: Positions
    entries: Positions
    biases: Positions

    @staticmethod
    def of(rows: Positions, columns: Positions, entries: Positions, biases: Positions) -> Sharing:
        """Sort the places."""
        order = np.lexsort((columns, rows))
        return Sharing(
            _positions(rows[order]),
            _positions(columns[order]),
            _positions(entries[order]),
            _positions(biases),
        )

    def matrix(self, weight: NDArray[np.float64], inputs: int) -> Any:
        """The matrix (outputs, inputs) made of ``weight``: a csr_array."""
        counts = np.bincount(self.rows, minlength=self.biases.size)
        starts = np.concatenate([[0], np.cumsum(counts)])
        data = weight.reshape(-1)[self.entries]
        return sp.csr_array((data, self.columns, starts), shape=(self.biases.size, inputs))


@dataclass(frozen=True, eq=False)
class Parameters:
    """The free numbers of an affine layer.

    ``shape``: of the weight array: (outputs, inputs) where ``sharing`` is None (the layer's own
    matrix), else that of the kernel as the file holds it. ``biases``: the number of free biases,
    0 where the file has none for this layer. ``stored_weight``, ``stored_bias``: where they stand
    in the file, None where there is no ONNX file.
    """

    kind: Kind
    shape: tuple[int, ...]
    biases: int
    stored_weight: Stored | None = None
    stored_bias: Stored | None = None
    sharing: Sharing | None = None

    @staticmethod
    def dense(weight: NDArray[Any]) -> Parameters:
        """Those of a layer that is a matrix and a bias in no file."""
        return Parameters(Kind.DENSE, weight.shape, weight.shape[0])

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which weights take part (a kernel may have some that only ever meet padding)."""
        if self.sharing is None:
            return np.ones(self.shape, dtype=bool)
        used = np.zeros(self.shape, dtype=bool)
        used.reshape(-1)[self.sharing.entries] = True
        return used

    def weight_of(self, matrix: Any) -> NDArray[np.float64]:
        """The weight array behind the layer's ``matrix``; 0 where a weight takes no part."""
        if self.sharing is None:
            return np.array(matrix, dtype=np.float64)
        weight = np.zeros(self.shape)
        weight.reshape(-1)[self.sharing.entries] = matrix.data
        return weight

    def bias_of(self, bias: NDArray[np.float64]) -> NDArray[np.float64]:
        """The free biases behind the layer's ``bias``; empty where it has none."""
        if self.biases == 0:
            return np.zeros(0)
        if self.sharing is None:
            return np.array(bias)
        free = np.zeros(self.biases)
        free[self.sharing.biases] = bias
        return free

    def expand_weight(self, weight: ArrayLike, inputs: int) -> Any:
        """The layer's matrix made of a weight array, rounded to the file's type."""
        array = _rounded(weight, self.stored_weight, self.shape, "weights")
        return array if self.sharing is None else self.sharing.matrix(array, inputs)

    def expand_bias(self, bias: ArrayLike) -> NDArray[np.float64]:
        """The layer's bias made of free biases, rounded to the file's type."""
        if self.biases == 0:
            raise InputError("the layer has no bias of its own in the file, so it cannot change")
        array = _rounded(bias, self.stored_bias, (self.biases,), "bias")
        return array if self.sharing is None else array[self.sharing.biases]


def _rounded(
    values: ArrayLike, stored: Stored | None, shape: tuple[int, ...], what: str
) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise InputError(f"{what}: shape {array.shape} given, the layer's is {shape}")
    if stored is None:
        return array
    with np.errstate(over="ignore", under="ignore"):
        return array.astype(stored.dtype).astype(np.float64)
