"""Arrays of affine expressions follow numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from some_expressions import RNG, B, V, W

from marapatch.modelling import Expression, Problem, concatenate, insert, relu
from marapatch.modelling.expressions import Comparison

POINT = RNG.normal(size=4)


GRID = RNG.normal(size=(4, 2))


def at(expression: Expression, point: np.ndarray) -> np.ndarray:
    rows = expression.rows(expression.problem.columns)
    return np.asarray(rows @ point + expression.constant).reshape(expression.shape)


VECTOR_CASES: dict[str, Callable[..., object]] = {
    "matrix times": lambda x: W @ x + B,
    "times matrix": lambda x: x @ V,
    "dot": lambda x: POINT @ x,
    "dot from the right": lambda x: x @ POINT,
    "scaled": lambda x: 2.0 * x / 4.0 - x * POINT,
    "reflected": lambda x: 1.0 - x,
    "negated": lambda x: -(+x),
    "sum": lambda x: x.sum(),
    "insert": lambda x: (
        insert(np.ones((3, 2)), (slice(0, 2), slice(None)), x.reshape(2, 2))
        if isinstance(x, Expression)
        else np.r_[x, 1.0, 1.0].reshape(3, 2)
    ),
    "numpy sum": np.sum,
    "numpy mean": np.mean,
    "numpy add": lambda x: np.add(POINT, np.subtract(x, 1.0)),
    "joined": lambda x: (
        concatenate([x[0], 7.0, x.reshape(2, 2)])
        if isinstance(x, Expression)
        else np.r_[x[0], 7.0, x]
    ),
    "mean": lambda x: x.mean(),
    "slice": lambda x: x[1:3] + x[::-2],
    "index": lambda x: x[np.array([0, 3, 3])],
    "mask": lambda x: x[np.array([True, False, True, False])],
    "entry": lambda x: x[-1],
    "broadcast": lambda x: x + np.arange(3.0)[:, None],
    "reshape": lambda x: x.reshape(2, 2).T @ np.array([1.0, -2.0]),
    "array first": lambda x: np.arange(4.0) - x,
    "numpy scalar first": lambda x: np.float64(3.0) * x,
}


GRID_CASES: dict[str, Callable[..., object]] = {
    "matrix times": lambda x: W @ x,
    "times matrix": lambda x: x @ np.ones((2, 3)),
    "vector times": lambda x: POINT @ x,
    "transposed": lambda x: x.T,
    "sum of rows": lambda x: x.sum(axis=1),
    "sum of columns": lambda x: x.sum(axis=0),
    "mean of columns": lambda x: x.mean(axis=0),
    "column": lambda x: x[:, 1],
    "ravel": lambda x: x.ravel() * 2.0,
}


@pytest.mark.parametrize("name", VECTOR_CASES)
def test_vectors_follow_numpy(name: str) -> None:
    x = Problem().array("x", 4)
    result = VECTOR_CASES[name](x)
    assert isinstance(result, Expression)
    wanted = np.asarray(VECTOR_CASES[name](POINT))
    assert result.shape == wanted.shape
    assert at(result, POINT) == pytest.approx(wanted)


@pytest.mark.parametrize("name", GRID_CASES)
def test_grids_follow_numpy(name: str) -> None:
    x = Problem().array("x", (4, 2))
    result = GRID_CASES[name](x)
    assert isinstance(result, Expression)
    wanted = np.asarray(GRID_CASES[name](GRID))
    assert result.shape == wanted.shape
    assert at(result, GRID.ravel()) == pytest.approx(wanted)


def test_columns_made_later_do_not_change_an_expression() -> None:
    problem = Problem()
    x = problem.array("x", 2)
    early = x.sum()
    y = problem.variable("y")
    late = early + relu(x)[0] - y
    assert at(late, np.array([1.0, 2.0, 5.0, 7.0, 0.0])) == 1.0 + 2.0 + 7.0 - 5.0


def test_arrays_compare_from_the_left() -> None:
    x = Problem().array("x", 4)
    comparison = x >= POINT
    assert isinstance(comparison, Comparison)
    assert comparison.sense == ">="
    assert at(comparison.expression, POINT) == pytest.approx(0.0)
    assert repr(x[0] == 1) == "<x[0] - 1 == 0>"
