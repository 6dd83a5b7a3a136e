"""How a query is rewritten for Marabou: numbers, sizes and inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from marapatch.query.query import Query
from marapatch.solvers.marabou.request import LEEWAY, numbering, request_of
from marapatch_encodings import Abs, Constraint, Disjunction, Max, Relu, VariablePool, row


def request_for(pool: VariablePool, *constraints: Constraint) -> tuple[dict[str, Any], list[int]]:
    request, place = request_of(Query.of(pool, constraints), {})
    return request, place.tolist()


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ([], [0, 1, 2, 3]),
        ([(0, 1), (1, 2)], [0, 1, 2, 3]),
        ([(2, 0)], [2, 0, 1, 3]),
        ([(3, 0), (0, 1)], [2, 3, 0, 1]),
        ([(1, 2), (2, 1)], [0, 2, 3, 1]),
        ([(3, 2), (2, 1), (1, 3)], [0, 1, 3, 2]),
    ],
    ids=["none", "in order", "one", "chain", "cycle of two", "cycle of three"],
)
def test_numbering(before: list[tuple[int, int]], expected: list[int]) -> None:
    place = numbering(4, before)
    assert sorted(place) == [0, 1, 2, 3]
    assert place.tolist() == expected


@pytest.mark.parametrize(
    ("inputs", "variables", "relus", "rows"), [(2, 2, 1, 2), (3, 5, 2, 4), (4, 8, 3, 6)]
)
def test_size_of_a_maximum(inputs: int, variables: int, relus: int, rows: int) -> None:
    pool = VariablePool()
    y = pool.fresh("y")
    xs = pool.fresh_many("x", np.zeros(inputs), np.ones(inputs))
    request, place = request_for(pool, Max(xs, y))
    assert request["lower"].size == inputs + 1 + variables
    assert len(request["relu"]) == relus
    assert len(request["rows"]) == rows
    assert all(x < y for x, y in request["relu"])
    assert request["inputs"] == sorted(place[1:])


def test_size_of_an_absolute_value() -> None:
    pool = VariablePool()
    y, x = pool.fresh("y"), pool.fresh("x", -1.0, 1.0)
    request, place = request_for(pool, Abs(x, y))
    assert request["lower"].size == 3
    assert (len(request["relu"]), len(request["rows"])) == (1, 1)
    assert place == [2, 0]
    assert request["inputs"] == [0]


def test_a_cycle_is_cut_by_a_copy() -> None:
    pool = VariablePool()
    x, y = pool.fresh_many("x", [-1.0, -2.0], [1.0, 2.0])
    request, place = request_for(pool, Relu(x, y), Relu(y, x))
    assert request["relu"] == [(0, 1), (1, 2)]
    assert place == [0, 1]
    assert (request["lower"][2], request["upper"][2]) == (-1.0, 1.0)
    assert [r[0] for r in request["rows"]] == ["<=", ">="]


def test_bounds_follow_their_variables() -> None:
    pool = VariablePool()
    y, x = pool.fresh("y", 0.0, 5.0), pool.fresh("x", -1.0, 1.0)
    request, place = request_for(pool, Relu(x, y))
    assert place == [1, 0]
    assert request["lower"].tolist() == [-1.0, 0.0]
    assert request["upper"].tolist() == [1.0, 5.0]


def test_inputs_are_what_no_layer_defines() -> None:
    pool = VariablePool()
    u = pool.fresh_many("u", [-1.0, -1.0], [1.0, 1.0])
    z, f = pool.fresh("z"), pool.fresh("f")
    t, g, free = pool.fresh("t"), pool.fresh("g"), pool.fresh("unused", 0.0, 1.0)
    query = Query.of(
        pool,
        [
            row({u[0]: 1.0, u[1]: 1.0, z: -1.0}, "=", 0.0),
            Relu(z, f),
            row({f: 1.0, t: -1.0}, "=", 0.5),
            Relu(t, g),
            row({u[0]: 1.0, g: 1.0}, "<=", 1.0),
        ],
    )
    request, place = request_of(query, {})
    assert request["inputs"] == [place[u[0]], place[u[1]]]
    assert place[free] not in request["inputs"]
    assert request_of(query, {}, layers=False)[0]["inputs"] == []


def test_rows_are_doubled_exactly() -> None:
    pool = VariablePool()
    x, y = pool.fresh_many("x", [-1.0, -1.0], [1.0, 1.0])
    request, _ = request_for(pool, row({x: 3e-5, y: -1e-5}, "<=", 2e-5))
    ((sense, variables, coefficients, rhs),) = request["rows"]
    factor = rhs / 2e-5
    assert sense == "<="
    assert variables.tolist() == [0, 1]
    assert factor == 2.0**15
    assert coefficients.tolist() == [3e-5 * factor, -1e-5 * factor]


def test_equalities_in_a_disjunction_are_loosened() -> None:
    pool = VariablePool()
    x = pool.fresh("x", -1.0, 1.0)
    either = Disjunction(((row({x: 1.0}, "=", 0.25),), (row({x: 1.0}, "<=", -0.5),)))
    request, _ = request_for(pool, either)
    ((first, second),) = request["or"]
    assert [(r[0], r[3]) for r in first] == [("<=", 0.25 + LEEWAY), (">=", 0.25 - LEEWAY)]
    assert [(r[0], r[3]) for r in second] == [("<=", -0.5)]
