"""The ReLU and its range."""

from __future__ import annotations

import pytest

from marapatch_encodings import (
    Relu,
    VariablePool,
    relu,
)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [((-1.0, 2.0), (0.0, 2.0)), ((-2.0, -1.0), (0.0, 0.0)), ((0.5, 2.0), (0.5, 2.0))],
)
def test_its_range_is_that_of_the_relu(
    ends: tuple[float, float], expected: tuple[float, float]
) -> None:
    pool = VariablePool()
    x = pool.fresh("x", *ends)
    encoding = relu(pool, x)
    assert encoding.constraints == (Relu(x, encoding.variable),)
    assert pool.bounds(encoding.variable) == expected


def test_every_relu_has_a_variable_of_its_own() -> None:
    pool = VariablePool()
    x = pool.fresh("x", -1.0, 1.0)
    assert relu(pool, x).variable != relu(pool, x).variable
    assert len(pool) == 3
