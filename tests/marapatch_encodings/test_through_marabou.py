"""Every encoding put through Marabou itself: it must understand them as they are meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import numpy as np
import pytest
from encoding_table import (
    CONDITION_CASES,
    RADIUS_CASES,
    VALUE_CASES,
    ConditionCase,
    RadiusCase,
    ValueCase,
)

from marapatch.query.query import Query
from marapatch.solvers.base import Answer, Candidate, Infeasible
from marapatch.solvers.marabou.backend import MarabouBackend
from marapatch_encodings import (
    Constraint,
    Variable,
    VariablePool,
    cardinality,
    dense_row,
    l1_ball,
    worst_violation,
)
from marapatch_encodings.l1_ball import L1_FORMS, L1Form

AWAY = 0.1
"""How far a value is forced from the right one, far beyond Marabou's tolerances."""
TOLERANCE = 1e-4
"""By how much an assignment that Marabou calls a solution may miss a constraint."""
TIMEOUT = 20.0
SIZE = 8.0

POINTS = {
    1: ((-3.0,), (0.0,), (0.75,), (7.5,)),
    2: ((-3.0, 2.0), (1.5, 1.5), (4.0, 0.0), (-0.25, -6.0)),
    3: (
        *((-3.0, 2.0, 0.5), (1.5, 1.5, 1.5), (0.0, 0.0, -4.0), (0.0, 0.0, 0.0)),
        *((5.0, 0.5, 0.0), (-1.5, 3.0, 0.0), (7.0, -1.0, 0.5), (0.5, 2.0, -2.0)),
    ),
    4: (
        *((-3.0, 2.0, 0.5, 2.0), (1.5, 1.5, 1.5, 1.5), (0.0, -1.0, 4.0, -4.0)),
        *((6.0, 0.0, 2.0, 6.0), (-5.0, 1.0, 0.0, -5.0), (0.0, 3.0, 0.0, 3.0)),
        *((4.0, 0.0, -1.0, 0.0), (0.0, -6.0, 1.0, -2.0)),
    ),
}
"""Inputs by their number; small dyadic numbers, ties among them."""


def bounded_inputs(pool: VariablePool, count: int) -> tuple[Variable, ...]:
    return pool.fresh_many("x", np.full(count, -SIZE), np.full(count, SIZE))


def query_with(
    pool: VariablePool,
    constraints: Iterable[Constraint],
    inputs: Sequence[float],
    ranges: Mapping[Variable, tuple[float, float]],
) -> Query:
    """The first variables fixed to ``inputs``, others cut to ``ranges``."""
    lower, upper = pool.lower, pool.upper
    lower[: len(inputs)] = upper[: len(inputs)] = inputs
    for variable, (low, high) in ranges.items():
        lower[variable] = max(lower[variable], low)
        upper[variable] = min(upper[variable], high)
    return Query(pool.names, lower, upper, tuple(constraints))


def assert_solution(answer: Answer, query: Query) -> None:
    assert isinstance(answer, Candidate), answer
    assert (query.lower - TOLERANCE <= answer.assignment).all()
    assert (answer.assignment <= query.upper + TOLERANCE).all()
    assert worst_violation(query.constraints, answer.assignment) <= TOLERANCE


def named(cases: Sequence[ValueCase | RadiusCase | ConditionCase]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def test_every_number_of_inputs_has_points() -> None:
    cases = (*VALUE_CASES, *RADIUS_CASES, *CONDITION_CASES)
    assert {case.inputs for case in cases} == set(POINTS)


NEW_VALUES = [case for case in VALUE_CASES if case.name != "maximum of 1"]
"""Without the one whose value is its own input, which cannot be fixed to two numbers."""


@named(NEW_VALUES)
def test_values(case: ValueCase, marabou: MarabouBackend) -> None:
    pool = VariablePool()
    encoding = case.build(pool, bounded_inputs(pool, case.inputs))
    value = encoding.variable
    low, high = pool.bounds(value)
    asked = 0
    for inputs in POINTS[case.inputs]:
        right = case.intended(inputs)
        for here in ((right, right), (low, high)):
            query = query_with(pool, encoding.constraints, inputs, {value: here})
            answer = marabou.solve(query, TIMEOUT)
            assert_solution(answer, query)
            assert answer.assignment[value] == pytest.approx(right, abs=TOLERANCE)
        for apart in ((low, right - AWAY), (right + AWAY, high)):
            if apart[0] <= apart[1]:
                query = query_with(pool, encoding.constraints, inputs, {value: apart})
                assert marabou.solve(query, TIMEOUT) == Infeasible(), (inputs, apart)
                asked += 1
    assert asked or low == high


@named(NEW_VALUES)
def test_values_over_boxes(case: ValueCase, marabou: MarabouBackend) -> None:
    """Inputs free by about half a unit: the extremes lie at corners, with 0 as one inside.

    No two boxes are of one size: where all inputs look alike, Marabou's local search can go round
    in circles for ever (seen with four equal boxes under ``maximum``), which decides nothing.
    """
    pool = VariablePool()
    xs = bounded_inputs(pool, case.inputs)
    encoding = case.build(pool, xs)
    value = encoding.variable
    low, high = pool.bounds(value)
    for inputs in POINTS[case.inputs]:
        sizes = [0.5 + 0.0625 * i for i in range(case.inputs)]
        box = {x: (c - r, c + r) for x, c, r in zip(xs, inputs, sizes, strict=True)}
        corners = product(*((a, min(max(a, 0.0), b), b) for a, b in box.values()))
        values = [case.intended(corner) for corner in corners]
        least, most = min(values), max(values)
        for beyond in ((low, least - AWAY), (most + AWAY, high)):
            if beyond[0] <= beyond[1]:
                query = query_with(pool, encoding.constraints, (), {**box, value: beyond})
                assert marabou.solve(query, TIMEOUT) == Infeasible(), (inputs, beyond)
        for reached in ((low, least + AWAY), (most - AWAY, high)):
            query = query_with(pool, encoding.constraints, (), {**box, value: reached})
            assert_solution(marabou.solve(query, TIMEOUT), query)


@named(RADIUS_CASES)
def test_radii(case: RadiusCase, marabou: MarabouBackend) -> None:
    pool = VariablePool()
    encoding = case.build(pool, bounded_inputs(pool, case.inputs))
    radius = encoding.variable
    _, high = pool.bounds(radius)
    for inputs in POINTS[case.inputs]:
        norm = case.norm(inputs)
        for here in ((norm, norm), (norm + AWAY, high)):
            query = query_with(pool, encoding.constraints, inputs, {radius: here})
            assert_solution(marabou.solve(query, TIMEOUT), query)
        if norm >= AWAY:
            query = query_with(pool, encoding.constraints, inputs, {radius: (0.0, norm - AWAY)})
            assert marabou.solve(query, TIMEOUT) == Infeasible(), inputs


@named(CONDITION_CASES)
def test_conditions(case: ConditionCase, marabou: MarabouBackend) -> None:
    pool = VariablePool()
    encoding = case.build(pool, bounded_inputs(pool, case.inputs))
    outcomes = set()
    for inputs in POINTS[case.inputs]:
        gap = case.gap(inputs)
        assert gap <= 0.0 or gap >= AWAY, "choose points that Marabou can tell apart"
        query = query_with(pool, encoding.constraints, inputs, {})
        answer = marabou.solve(query, TIMEOUT)
        if gap <= 0.0:
            assert_solution(answer, query)
        else:
            assert answer == Infeasible(), inputs
        outcomes.add(gap <= 0.0)
    assert outcomes == {False, True} or case.name == "at most 3 of 3 non-zero"


@pytest.mark.parametrize("form", L1_FORMS)
def test_l1_ball_with_free_entries(form: L1Form, marabou: MarabouBackend) -> None:
    """Over the ball of radius r the form w.d reaches r max|w| and no more."""
    weights = np.array([0.5, -2.0, 1.0, 0.25])
    pool = VariablePool()
    ds = bounded_inputs(pool, weights.size)
    ball = l1_ball(pool, ds, 3.0, form).constraints
    for sign, share in product((1.0, -1.0), (0.9, 1.1)):
        asked = dense_row(ds, sign * weights, ">=", share * 3.0 * 2.0)
        query = Query.of(pool, (*ball, asked))
        answer = marabou.solve(query, TIMEOUT)
        if share < 1.0:
            assert_solution(answer, query)
        else:
            assert answer == Infeasible()


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_cardinality_with_free_entries(limit: int, marabou: MarabouBackend) -> None:
    """With few entries non-zero the form w.d reaches the sum of the largest |w| times the size."""
    weights = np.array([0.5, -2.0, 1.0, 0.25, -1.5, 1.25])
    most = float(np.sort(np.abs(weights))[-limit:].sum()) * SIZE
    pool = VariablePool()
    ds = bounded_inputs(pool, weights.size)
    limited = cardinality(pool, ds, limit).constraints
    for share in (0.9, 1.1):
        query = Query.of(pool, (*limited, dense_row(ds, weights, ">=", share * most)))
        answer = marabou.solve(query, TIMEOUT)
        if share < 1.0:
            assert_solution(answer, query)
            assert np.count_nonzero(np.abs(answer.assignment[: weights.size]) > 1e-6) <= limit
        else:
            assert answer == Infeasible()
