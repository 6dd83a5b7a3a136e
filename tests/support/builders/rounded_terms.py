"""Numbers of every size, and exact sums of them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import scipy.sparse as sp

UNIT = Fraction(1, 2**53)


SIZES = (1.0, 1e-3, 2.0**60, 1e-200, 1e-308, 5e-324)
"""Of entries: products of two of the last three underflow."""


def numbers(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Full mantissas of many sizes, some of them 0."""
    values = rng.choice([-1.0, 1.0], shape) * (1.0 + rng.random(shape)) * rng.choice(SIZES, shape)
    return np.where(rng.random(shape) < 0.3, 0.0, values)


def entries(matrix: object) -> list[list[Fraction]]:
    full = matrix.toarray() if sp.issparse(matrix) else np.asarray(matrix)  # type: ignore[attr-defined]
    return [[Fraction(x) for x in row] for row in full.reshape(full.shape[0], -1).tolist()]
