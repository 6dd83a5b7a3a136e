"""Numbers from outside: float64, finite, and copies."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from marapatch.errors import InputError
from marapatch.modelling.matrices import numbers_of, widened


def test_numbers_are_copied_as_float64() -> None:
    given = np.array([1, 2])
    taken = numbers_of(given, "x")
    given[0] = 9
    assert taken.dtype == np.float64
    assert taken.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("value", ["a", [[1.0], [1.0, 2.0]], [1.0, float("nan")], [float("inf")]])
def test_what_is_no_finite_array_is_refused_by_name(value: object) -> None:
    with pytest.raises(InputError, match=r"^x: "):
        numbers_of(value, "x")  # type: ignore[arg-type]


def test_columns_of_zeros_are_appended() -> None:
    matrix = sp.csr_array(np.array([[1.0, 0.0], [0.0, 2.0]]))
    assert widened(matrix, 4).toarray().tolist() == [[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]]
    assert widened(matrix, 2) is matrix
