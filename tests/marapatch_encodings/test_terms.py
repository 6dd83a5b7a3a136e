"""Variables, rows and pools."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan

import numpy as np
import pytest

from marapatch_encodings import Encoding, Row, Variable, VariablePool, dense_row, row

X, Y, Z = Variable(0), Variable(1), Variable(2)


class TestRow:
    def test_is_sorted_by_variable(self) -> None:
        built = row({Z: 3.0, X: 1.0, Y: 2.0}, "<=", 4.0)
        assert built.variables.tolist() == [0, 1, 2]
        assert built.coefficients.tolist() == [1.0, 2.0, 3.0]
        assert (built.sense, built.rhs) == ("<=", 4.0)

    def test_sums_repeated_variables(self) -> None:
        assert row([(Y, 1.0), (X, 2.0), (Y, 0.5)], "=", 0.0) == row({X: 2.0, Y: 1.5}, "=", 0.0)

    def test_drops_zero_coefficients(self) -> None:
        assert row({X: 0.0, Y: 1.0}, "=", 0.0) == row({Y: 1.0}, "=", 0.0)

    def test_drops_what_cancels(self) -> None:
        built = row([(X, 1.0), (Y, 1.0), (X, -1.0)], ">=", 2.0)
        assert built.variables.tolist() == [1]
        assert row([(X, 1.0), (X, -1.0)], ">=", 2.0).variables.size == 0

    def test_takes_arrays(self) -> None:
        assert dense_row([2, 0], np.array([3.0, 1.0]), ">=", 1.0) == row(
            {X: 1.0, Z: 3.0}, ">=", 1.0
        )
        assert dense_row([], [], ">=", 1.0).variables.size == 0

    def test_does_not_share_its_arrays(self) -> None:
        columns, values = np.array([0, 1]), np.array([1.0, 2.0])
        built = dense_row(columns, values, "=", 0.0)
        values[0] = 9.0
        columns[0] = 5
        assert built == row({X: 1.0, Y: 2.0}, "=", 0.0)
        with pytest.raises(ValueError, match="read-only"):
            built.coefficients[0] = 9.0
        with pytest.raises(ValueError, match="read-only"):
            built.variables[0] = 9

    @pytest.mark.parametrize(
        "other",
        [
            row({X: 1.0}, ">=", 1.0),
            row({X: 1.0}, "<=", 2.0),
            row({X: 2.0}, "<=", 1.0),
            row({Y: 1.0}, "<=", 1.0),
            row({X: 1.0, Y: 1.0}, "<=", 1.0),
            "x <= 1",
        ],
    )
    def test_equality_looks_at_every_part(self, other: object) -> None:
        one = row({X: 1.0}, "<=", 1.0)
        assert one == row({X: 1.0}, "<=", 1.0)
        assert one != other
        assert hash(one) == hash(row({X: 1.0}, "<=", 1.0))

    @pytest.mark.parametrize(
        ("build", "message"),
        [
            (lambda: row({X: nan}, "<=", 1.0), "finite"),
            (lambda: row({X: inf}, "<=", 1.0), "finite"),
            (lambda: row({X: 1.0}, "<=", nan), "finite"),
            (lambda: row({X: 1.0}, "<=", -inf), "finite"),
            (lambda: row([(X, 1e308), (X, 1e308)], "<=", 1.0), "finite"),
            (lambda: dense_row([0, 1], [1.0], "<=", 1.0), "2 variables but 1 coefficients"),
        ],
    )
    def test_bad_numbers_are_refused(self, build: Callable[[], Row], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            build()


class TestVariablePool:
    def test_counts_and_remembers(self) -> None:
        pool = VariablePool()
        x = pool.fresh("x", -1.0, 2.0)
        y = pool.fresh("y")
        assert (x, y, len(pool)) == (0, 1, 2)
        assert (pool.name(x), pool.names) == ("x", ("x", "y"))
        assert (pool.bounds(x), pool.bounds(y)) == ((-1.0, 2.0), (-inf, inf))
        assert pool.lower.tolist() == [-1.0, -inf]
        assert pool.upper.tolist() == [2.0, inf]

    def test_many_at_once(self) -> None:
        pool = VariablePool()
        pool.fresh("first")
        assert pool.fresh_many("u", -1.0, np.array([1.0, 2.0])) == (1, 2)
        assert pool.names == ("first", "u[0]", "u[1]")
        assert pool.bounds(Variable(2)) == (-1.0, 2.0)

    def test_a_fixed_variable_is_allowed(self) -> None:
        pool = VariablePool()
        assert pool.bounds(pool.fresh("x", 1.5, 1.5)) == (1.5, 1.5)

    @pytest.mark.parametrize(("lower", "upper"), [(1.0, 0.0), (nan, 1.0), (0.0, nan), (inf, -inf)])
    def test_bad_bounds_are_refused(self, lower: float, upper: float) -> None:
        pool = VariablePool()
        with pytest.raises(ValueError, match="'x'"):
            pool.fresh("x", lower, upper)
        assert len(pool) == 0

    def test_its_arrays_are_copies(self) -> None:
        pool = VariablePool()
        x = pool.fresh("x", 0.0, 1.0)
        pool.lower[0] = 5.0
        assert pool.bounds(x) == (0.0, 1.0)


def test_an_encoding_without_a_value_says_so() -> None:
    assert Encoding(Y, ()).variable == Y
    with pytest.raises(ValueError, match="defines no value"):
        _ = Encoding(None, ()).variable
