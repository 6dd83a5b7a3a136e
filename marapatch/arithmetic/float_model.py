"""The arithmetic that every proof is made in, and what it may lose.

The model is IEEE 754 double precision, rounded to nearest, sums in any order, fused
multiplications or not, with gradual underflow:

    fl(a + b) = (a + b)(1 + d)                 |d| <= UNIT
    fl(a * b) = (a * b)(1 + d) + e             |d| <= UNIT, |e| <= 2^-1075, one of them 0

(quotients as products). So a sum of n products computed in any order is wrong by at most
``gamma(n) * sum |a||b| + n 2^-1075``: a relative term and an absolute one. Without the second, a
product that underflows to 0 would lose its error with it, and prove anything. Sums need none: a
sum small enough to be subnormal is exact. Overflow gives infinities and NaN, which never count as
proof. Source: Higham, "Accuracy and Stability of Numerical Algorithms", sections 2.2, 2.8 and 3.1;
Hauser, "Handling Floating-Point Exceptions in Numeric Programs", for the sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from marapatch.errors import BackendError

Matrix: TypeAlias = Any
"""A float64 matrix: an ndarray, or a scipy.sparse csr_array (untyped)."""

UNIT = 2.0**-53
"""The unit roundoff of float64."""

SMALL = 2.0**-1022
"""2^53 times what one product can lose to underflow: enough for every product of one sum, and a
normal number, so that adding it costs no more than adding any other."""

SAFE = 2.0**-900
"""Products of at least this size do not underflow, nor do their rounding errors."""


def gamma(operations: int) -> float:
    """A safe bound on the relative rounding error of ``operations`` float64 operations.

    Twice Higham's n u / (1 - n u) plus a few operations, so that the bookkeeping around a matrix
    product is covered too. Source: Higham, "Accuracy and Stability of Numerical Algorithms", 3.1.
    """
    return 2.0 * (operations + 8) * UNIT


def check_arithmetic() -> None:
    """Raise BackendError where this process does not compute in the model: where another library
    made the processor flush subnormal numbers to 0, or round otherwise than to nearest."""
    tiny = np.full(3, 2.0**-1022)
    halves, sums = tiny * 0.5, np.ones(3) + np.array([2.0**-53, -(2.0**-54), 1.5 * 2.0**-53])
    if not (halves > 0.0).all() or sums.tolist() != [1.0, 1.0, 1.0 + 2.0**-52]:
        raise BackendError(
            "this process does not compute in IEEE double precision with gradual underflow (a "
            "library compiled with -ffast-math changed the processor's mode): run marapatch in a "
            "process of its own"
        )


@contextmanager
def proving() -> Iterator[None]:
    """What a search computes in: the model, checked; one thread, since its arrays are small and
    threads would only wait for each other; and overflow left to the checks for NaN and infinity.

    Raises BackendError where this process does not compute in the model.
    """
    check_arithmetic()
    with threadpool_limits(1), np.errstate(all="ignore"):
        yield


def least_size(values: Matrix) -> float:
    """The least |entry| other than 0; infinite where there is none."""
    sizes = np.abs(values.data if sp.issparse(values) else values)
    return float(np.min(sizes, where=sizes > 0.0, initial=np.inf))


def underflow(outer: Matrix, inner: Matrix) -> Matrix | None:
    """What ``outer @ inner`` and rounding errors of it may lose to underflow, by entry.

    :data:`SMALL` where a term is other than 0, else 0; None where no term is small enough.
    """
    if least_size(outer) * least_size(inner) >= SAFE:
        return None
    terms = _occupied(outer) @ _occupied(inner)
    if sp.issparse(terms):
        terms = sp.csr_array(terms)
        terms.data[:] = SMALL
        return terms
    return SMALL * (np.asarray(terms) > 0.0)


def _occupied(values: Matrix) -> Matrix:
    if sp.issparse(values):
        ones = sp.csr_array(values, copy=True)
        ones.data = (ones.data != 0.0).astype(np.float64)
        return ones
    return (np.asarray(values) != 0.0).astype(np.float64)


def occupied_rows(
    weight: Matrix, activations: NDArray[np.float64], rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which of ``rows`` of ``weight`` have a non-zero entry that meets a non-zero activation."""
    reached = _occupied(weight[rows]) @ (activations != 0.0).astype(np.float64)
    return np.asarray(reached > 0.0)
