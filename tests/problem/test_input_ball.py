"""The ball around an input: rounded to the type of the file, and never out of the box."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from marapatch.errors import InputError
from marapatch.network.graph import Network, dense_network
from marapatch.problem.input_ball import ball_of
from marapatch.problem.norm import Norm


def network(dtype: type[np.floating] = np.float32) -> Network:
    net = dense_network([np.ones((2, 3))], [np.zeros(2)])
    return replace(net, input_dtype=np.dtype(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_box_is_rounded_inward_and_the_input_to_nearest(dtype: type[np.floating]) -> None:
    low, high = 0.1, 0.9
    ball, x = ball_of(network(dtype), [0.3, 0.4, 0.5], Norm.L1, (low, high), None)
    assert x.dtype == dtype
    assert (ball.centre == np.array([0.3, 0.4, 0.5], dtype).astype(np.float64)).all()
    for end, given, sign in ((ball.lower, low, 1), (ball.upper, high, -1)):
        assert (end == end.astype(dtype)).all()
        assert (sign * end >= sign * given).all()
        beyond = np.nextafter(end.astype(dtype), dtype(-sign * inf)).astype(np.float64)
        assert (sign * beyond < sign * given).all()  # and no farther than needed
    assert ball.norm is Norm.L1
    assert ball.radius == inf


def test_without_a_box_it_is_the_file_s_or_the_unit_box() -> None:
    ball, _ = ball_of(network(), [0.5] * 3, Norm.LINF, None, None)
    assert (ball.lower.tolist(), ball.upper.tolist()) == ([0.0] * 3, [1.0] * 3)
    stated = replace(network(), input_box=(np.full(3, -2.0), np.full(3, 3.0)))
    ball, _ = ball_of(stated, [0.5] * 3, Norm.LINF, None, None)
    assert (ball.lower.tolist(), ball.upper.tolist()) == ([-2.0] * 3, [3.0] * 3)


def test_masked_entries_stay_where_they_are() -> None:
    ball, _ = ball_of(network(), [0.5, 0.25, 0.75], Norm.LINF, None, [True, False, True])
    assert (ball.lower[1], ball.upper[1]) == (0.25, 0.25)
    assert (ball.lower[0], ball.upper[2]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"x": [0.5, nan, 0.5]}, "NaN"),
        ({"x": [[0.5] * 3, [0.5] * 3]}, "one input"),
        ({"x": [0.5, 1.5, 2.0]}, "outside the box at entry 1"),
        ({"box": (0.75, 0.25)}, "empty at entry 0"),
        ({"box": (0.0, inf)}, "finite"),
        ({"box": ([0.0, 0.0], 1.0)}, "box has shape"),
        ({"mask": [True, False]}, "mask has shape"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, Any], named: str) -> None:
    whole = {"x": [0.5] * 3, "norm": Norm.LINF, "box": None, "mask": None, **given}
    with pytest.raises(InputError, match=named):
        ball_of(network(), **whole)
