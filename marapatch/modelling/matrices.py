"""Numbers and matrices from outside, as the modelling layer takes them."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from marapatch.errors import InputError
from marapatch.network.layers import Array, Matrix


def numbers_of(value: ArrayLike, what: str) -> Array:
    """``value`` as float64; InputError, naming ``what``, where it is none or not finite."""
    try:
        numbers = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what}: {type(value).__name__} is no array of numbers") from error
    if not np.isfinite(numbers).all():
        raise InputError(f"{what}: contains NaN or infinity")
    return numbers


def widened(matrix: Matrix, columns: int) -> Matrix:
    """``matrix`` with zero columns appended."""
    if matrix.shape[1] == columns:
        return matrix
    parts = matrix.data, matrix.indices, matrix.indptr
    return sp.csr_array(parts, shape=(matrix.shape[0], columns))
