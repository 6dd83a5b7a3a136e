"""Linear programs kept warm in HiGHS: a program that HiGHS refuses has no solution, and no more."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from marapatch.linear_programs.warm import LinearProgram

LOW, HIGH = np.zeros(2), np.ones(2)


def program(coefficient: float = 2.0) -> LinearProgram:
    """max x + y where c x + y <= 1, x and y in [0, 1]."""
    rows = (np.array([-inf]), np.array([1.0]))
    return LinearProgram(np.array([[coefficient, 1.0]]), rows, (LOW, HIGH), np.array([-1.0, -1.0]))


def test_what_is_changed_counts() -> None:
    made = program()
    first = made.solve()
    assert first is not None
    assert first.objective == -1.0
    made.change(0, 0, 0.5)
    made.bound(LOW, np.array([1.0, 0.25]))
    made.bound_rows(np.array([-inf]), np.array([0.5]))
    second = made.solve()
    assert second is not None
    np.testing.assert_allclose(second.values, [1.0, 0.0])


class Untouchable:
    """Stands for a HiGHS instance that would crash."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} was called")


@pytest.mark.parametrize("coefficient", [2.0**60, -(2.0**60)])
def test_a_refused_program_is_not_touched_again(
    coefficient: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = program(coefficient)
    monkeypatch.setattr(made, "_highs", Untouchable())
    made.change(0, 1, 3.0)
    made.bound(LOW, HIGH)
    made.bound_rows(np.array([-inf]), np.array([2.0]))
    made.start_from(None)
    assert made.solve(1.0) is None
    assert made.ray() is None


def test_bounds_that_are_refused_leave_no_solution() -> None:
    made = program()
    made.bound(np.array([np.nan, 0.0]), HIGH)
    assert made.solve() is None
