"""A query has one canonical text, and none that contradicts itself before it is asked."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest

from marapatch.errors import InputError
from marapatch.query.query import Query, describe, variables_of
from marapatch_encodings import Abs, Disjunction, Max, Relu, Variable, VariablePool, row

A, B, C = Variable(0), Variable(1), Variable(2)


def sample(rhs: float = 0.5) -> Query:
    pool = VariablePool()
    a, b, c = pool.fresh("a", -1.0, 1.0), pool.fresh("b"), pool.fresh("c", 0.0, 2.0)
    constraints = (
        row({a: 1.0, b: -0.1}, "<=", rhs),
        Relu(a, c),
        Abs(a, b),
        Max((a, b), c),
        Disjunction(((row({a: 1.0}, ">=", 0.0),), (row({b: 1.0}, "=", 0.1),))),
    )
    return Query.of(pool, constraints)


def test_the_text_says_everything_and_every_number_exactly() -> None:
    lines = sample().text.splitlines()
    assert lines[0] == f"var 0 a {(-1.0).hex()} {(1.0).hex()}"
    assert lines[1] == "var 1 b -inf inf"
    assert lines[3] == f"row {(1.0).hex()}*0 {(-0.1).hex()}*1 <= {(0.5).hex()}"
    assert lines[4:7] == ["relu 0 2", "abs 0 1", "max 0 1 -> 2"]
    assert lines[7].startswith("or row ")
    assert " | " in lines[7]
    assert len(lines) == 8


def test_equal_queries_have_equal_text_digest_and_hash() -> None:
    first, second = sample(), sample()
    assert first == second
    assert first.text == second.text
    assert first.digest == second.digest
    assert hash(first) == hash(second)
    assert len(first.digest) == 64


def test_the_sign_of_zero_makes_no_difference() -> None:
    assert sample(0.0) == sample(-0.0)
    zeros = [Query(("a",), np.array([z]), np.array([1.0]), ()) for z in (0.0, -0.0)]
    assert zeros[0].digest == zeros[1].digest


@pytest.mark.parametrize("rhs", [0.5 + 2.0**-53, 0.25, -0.5])
def test_the_last_bit_of_a_number_makes_another_query(rhs: float) -> None:
    assert sample(rhs) != sample()
    assert sample(rhs).digest != sample().digest


@pytest.mark.parametrize(
    ("lower", "upper"), [(1.0, 0.5), (nan, 1.0), (0.0, nan), (inf, -inf), (1.0, 1.0 - 2**-53)]
)
def test_contradictory_bounds_are_refused_by_name(lower: float, upper: float) -> None:
    with pytest.raises(InputError, match="'b' has contradictory bounds"):
        Query(("a", "b"), np.array([0.0, lower]), np.array([1.0, upper]), ())


@pytest.mark.parametrize(
    "constraint",
    [
        row({A: 1.0, C: 1.0}, "<=", 0.0),
        Relu(A, C),
        Relu(C, A),
        Abs(Variable(-1), A),
        Max((A, C), B),
        Max((A, B), C),
        Disjunction(((row({A: 1.0}, "=", 0.0),), (row({C: 1.0}, "=", 0.0),))),
    ],
)
def test_a_constraint_on_an_unknown_variable_is_refused(constraint: object) -> None:
    with pytest.raises(InputError, match="unknown variable"):
        Query(("a", "b"), np.zeros(2), np.ones(2), (constraint,))  # type: ignore[arg-type]


def test_bounds_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match="2 names"):
        Query(("a", "b"), np.zeros(3), np.ones(3), ())
    with pytest.raises(InputError, match="2 names"):
        Query(("a", "b"), np.zeros(2), np.ones(3), ())


def test_the_bounds_are_copied_and_frozen() -> None:
    lower = np.zeros(1)
    query = Query(("a",), lower, np.ones(1), ())
    lower[0] = 5.0
    assert query.lower[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        query.lower[0] = 5.0


def test_rows_and_piecewise_constraints_are_told_apart() -> None:
    query = sample()
    assert len(query.rows) == 1
    assert len(query.piecewise) == 4
    assert len(query.rows) + len(query.piecewise) == len(query.constraints)


def test_every_variable_of_a_constraint_is_listed() -> None:
    found = [sorted(set(variables_of(c))) for c in sample().constraints]
    assert found == [[0, 1], [0, 2], [0, 1], [0, 1, 2], [0, 1]]
    assert describe(Relu(A, B)) != describe(Abs(A, B))
