"""Functions of expressions take their values."""

from __future__ import annotations

import numpy as np
import pytest

import marapatch.modelling as mp

VALUES = {
    "relu": (mp.relu, lambda x: np.maximum(x, 0)),
    "leaky_relu": (lambda x: mp.leaky_relu(x, 0.25), lambda x: np.where(x > 0, x, 0.25 * x)),
    "leaky_relu falling": (lambda x: mp.leaky_relu(x, -2), lambda x: np.where(x > 0, x, -2 * x)),
    "clip": (lambda x: mp.clip(x, -0.25, 0.5), lambda x: np.clip(x, -0.25, 0.5)),
    "absolute": (mp.absolute, np.abs),
    "absolute native": (lambda x: mp.absolute(x, native=True), np.abs),
    "maximum": (
        lambda x: mp.maximum(x, x[::-1], 0.1),
        lambda x: np.maximum(np.maximum(x, x[::-1]), 0.1),
    ),
    "maximum native": (lambda x: mp.maximum(x, -x, native=True), np.abs),
    "largest": (mp.maximum, lambda x: x.max()),
    "minimum": (lambda x: mp.minimum(x, 0.25), lambda x: np.minimum(x, 0.25)),
    "norm1": (mp.norm1, lambda x: np.abs(x).sum()),
    "norm1 abs": (lambda x: mp.norm1(x, form="abs"), lambda x: np.abs(x).sum()),
    "norm1 relu": (lambda x: mp.norm1(x, form="relu"), lambda x: np.abs(x).sum()),
    "norm_inf": (mp.norm_inf, lambda x: np.abs(x).max()),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("side", ["<=", ">=", "="])
def test_functions_take_their_values(name: str, side: str) -> None:
    """With the argument fixed, a function can be bounded at its value and not beyond it."""
    function, meant = VALUES[name]
    for point in (np.array([0.5, -0.75, 0.0]), np.array([-0.25, -0.125, -1.0]), np.ones(3)):
        right = np.asarray(meant(point), float)
        for shift, feasible in ((0.0, True), (-0.05, side == ">="), (0.05, side == "<=")):
            problem = mp.Problem()
            x = problem.array("x", 3, -1, 1)
            value = function(x)
            assert value.shape == right.shape
            bound = right + shift
            problem.require(
                x == point,
                value <= bound
                if side == "<="
                else value >= bound
                if side == ">="
                else value == bound,
            )
            answer = problem.solve("highs", confirm=None)
            assert isinstance(answer, mp.Solution) is feasible, (name, side, point, answer)


@pytest.mark.parametrize("name", VALUES)
def test_extremes_over_a_box(name: str) -> None:
    """Minimum and maximum of a function over a box are those on a fine grid of it."""
    function, meant = VALUES[name]
    axis = np.linspace(-1, 1, 9)
    grid = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(-1, 3)
    values = np.array([np.asarray(meant(p), float).sum() for p in grid])
    for sign in (1.0, -1.0):
        problem = mp.Problem()
        x = problem.array("x", 3, -1, 1)
        goal = sign * function(x).sum()
        found = problem.minimise(goal, backend="highs", confirm=None, tolerance=1e-4)
        assert found.closed(1e-4), found
        assert found.lower - 1e-6 <= (sign * values).min() <= found.upper + 1e-6


NUMBERS = {
    "zeros": (np.zeros(6), 0.0, 0.0),
    "numbers": (np.array([0.0, 3.0, 0.0, -4.0, 2.0, 0.0]), 9.0, 4.0),
    "small numbers": (np.array([0.0, 0.25, 0.0, -0.5, 0.0, 0.0]), 0.75, 0.5),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_norms_of_numbers_and_variables(name: str) -> None:
    """Entries that are numbers count, and zeros cost nothing."""
    numbers, sum_of_sizes, largest = NUMBERS[name]
    problem = mp.Problem()
    x = problem.array("x", 2, -1, 2)
    full = mp.insert(np.concatenate([numbers, np.zeros(100)]), slice(6, 8), x)
    for norm, least, most in (
        (mp.norm1, sum_of_sizes, sum_of_sizes + 4.0),
        (mp.norm_inf, largest, max(largest, 2.0)),
    ):
        size = norm(full)
        low = problem.minimise(size, backend="highs")
        high = problem.minimise(-size, backend="highs")
        assert low.lower - 1e-9 <= least <= low.upper + 1e-9
        assert high.lower - 1e-9 <= -most <= high.upper + 1e-9
    bounded = mp.Problem()
    y = bounded.array("y", 2, -1, 2)
    bounded.require(mp.norm_inf(mp.insert(np.zeros(1000), slice(0, 2), y) * 1.5) <= 1)
    assert len(bounded.query.names) < 20
