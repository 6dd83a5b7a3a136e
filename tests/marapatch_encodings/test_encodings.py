"""Every encoding is complete, sound and sized as its docstring says, and draws tight bounds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np
import pytest
from case_enumeration import LP, extremes
from encoding_table import (
    CONDITION_CASES,
    RADIUS_CASES,
    VALUE_CASES,
    ConditionCase,
    RadiusCase,
    ValueCase,
)
from hypothesis import given
from hypothesis import strategies as st
from strategies import BoxedPoint, boxed_points, dyadics, few, many

from marapatch_encodings import (
    Abs,
    Constraint,
    Disjunction,
    Encoding,
    Max,
    Relu,
    Row,
    Variable,
    VariablePool,
    worst_violation,
)
from marapatch_encodings.catalogue import entries


def named(cases: Sequence[ValueCase | RadiusCase | ConditionCase]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def draw_inputs(pool: VariablePool, points: Sequence[BoxedPoint]) -> tuple[Variable, ...]:
    return pool.fresh_many("x", [p.lower for p in points], [p.upper for p in points])


def data_points(data: st.DataObject, count: int) -> list[BoxedPoint]:
    return data.draw(st.lists(boxed_points(), min_size=count, max_size=count))


def propagate(
    pool: VariablePool, constraints: Sequence[Constraint], inputs: Sequence[float]
) -> np.ndarray:
    """The one assignment that the inputs force, constraint by constraint."""
    values = np.full(len(pool), np.nan)
    values[: len(inputs)] = inputs
    for constraint in constraints:
        match constraint:
            case Relu(input=x, output=y):
                values[y] = max(values[x], 0.0)
            case Abs(input=x, output=y):
                values[y] = abs(values[x])
            case Max(inputs=xs, output=y):
                values[y] = max(values[x] for x in xs)
            case Row():
                (at,) = np.flatnonzero(np.isnan(values[constraint.variables]))
                known = np.delete(np.arange(constraint.variables.size), at)
                total = constraint.coefficients[known] @ values[constraint.variables[known]]
                missing = constraint.variables[at]
                values[missing] = (constraint.rhs - total) / constraint.coefficients[at]
            case _:
                raise AssertionError(f"no value is defined by {constraint}")
    assert not np.isnan(values).any()
    return values


def inside(pool: VariablePool, values: np.ndarray) -> bool:
    return bool(((pool.lower <= values) & (values <= pool.upper)).all())


class TestValues:
    """Encodings that define a value by their inputs."""

    @named(VALUE_CASES)
    @many
    @given(data=st.data())
    def test_complete(self, case: ValueCase, data: st.DataObject) -> None:
        points = data_points(data, case.inputs)
        pool = VariablePool()
        encoding = case.build(pool, draw_inputs(pool, points))
        inputs = [p.value for p in points]
        solution = propagate(pool, encoding.constraints, inputs)
        assert solution[encoding.variable] == case.intended(inputs)
        assert worst_violation(encoding.constraints, solution) == 0.0
        assert inside(pool, solution)

    @named([case for case in VALUE_CASES if case.name != "maximum of 1"])
    @many
    @given(data=st.data(), shift=dyadics(-4.0, 4.0).filter(bool))
    def test_another_value_breaks_a_constraint(
        self, case: ValueCase, data: st.DataObject, shift: float
    ) -> None:
        points = data_points(data, case.inputs)
        pool = VariablePool()
        encoding = case.build(pool, draw_inputs(pool, points))
        wrong = propagate(pool, encoding.constraints, [p.value for p in points])
        wrong[encoding.variable] += shift
        assert worst_violation(encoding.constraints, wrong) > 0.0

    @named(VALUE_CASES)
    @few
    @given(data=st.data())
    def test_sound(self, case: ValueCase, data: st.DataObject) -> None:
        """Over every solution with these inputs, whatever its auxiliary variables."""
        points = data_points(data, case.inputs)
        pool = VariablePool()
        xs = draw_inputs(pool, points)
        encoding = case.build(pool, xs)
        inputs = [p.value for p in points]
        fixed = dict(zip(xs, inputs, strict=True))
        found = extremes(pool, encoding.constraints, fixed, {encoding.variable: 1.0})
        assert found is not None
        right = case.intended(inputs)
        assert found == pytest.approx((right, right), abs=LP)

    @named([case for case in VALUE_CASES if "linear" not in case.name])
    @many
    @given(data=st.data())
    def test_tightest_bounds(self, case: ValueCase, data: st.DataObject) -> None:
        """Each of these functions takes its extremes at corners, with 0 as a corner inside."""
        points = data.draw(
            st.lists(boxed_points(finite=True), min_size=case.inputs, max_size=case.inputs)
        )
        pool = VariablePool()
        encoding = case.build(pool, draw_inputs(pool, points))
        corners = [(p.lower, min(max(p.lower, 0.0), p.upper), p.upper) for p in points]
        values = [case.intended(corner) for corner in product(*corners)]
        assert pool.bounds(encoding.variable) == (min(values), max(values))

    def test_unbounded_inputs_are_allowed(self) -> None:
        for case in VALUE_CASES:
            pool = VariablePool()
            xs = [pool.fresh("x") for _ in range(case.inputs)]
            value = case.build(pool, xs).variable
            lower, upper = pool.bounds(value)
            inputs = [-2.5] * case.inputs
            assert lower <= case.intended(inputs) <= upper, case.name


class TestRadii:
    """Encodings of a radius that may be larger than the norm, never smaller."""

    @named(RADIUS_CASES)
    @few
    @given(data=st.data())
    def test_the_least_radius_is_the_norm(self, case: RadiusCase, data: st.DataObject) -> None:
        points = data_points(data, case.inputs)
        pool = VariablePool()
        ds = draw_inputs(pool, points)
        encoding = case.build(pool, ds)
        values = [p.value for p in points]
        fixed = dict(zip(ds, values, strict=True))
        found = extremes(pool, encoding.constraints, fixed, {encoding.variable: 1.0})
        assert found is not None
        assert found[0] == pytest.approx(case.norm(values), abs=LP)
        largest = case.norm([max(abs(p.lower), abs(p.upper)) for p in points])
        assert found[1] == pytest.approx(largest, abs=LP)

    @named(RADIUS_CASES)
    def test_no_entries_have_radius_0(self, case: RadiusCase) -> None:
        pool = VariablePool()
        encoding = case.build(pool, [])
        assert pool.bounds(encoding.variable) == (0.0, 0.0)


class TestConditions:
    """Encodings that hold or do not."""

    @named(CONDITION_CASES)
    @many
    @given(data=st.data())
    def test_complete(self, case: ConditionCase, data: st.DataObject) -> None:
        points = data_points(data, case.inputs)
        values = [p.value for p in points]
        if case.gap(values) > 0.0:  # shrink the point (or fall back to a fixed one) until it holds
            values = data.draw(st.lists(dyadics(), min_size=case.inputs, max_size=case.inputs))
            points = [BoxedPoint(-8.0, x, 8.0) for x in values]
        pool = VariablePool()
        encoding = case.build(pool, draw_inputs(pool, points))
        assert encoding.value is None
        solution = np.array([*values, *case.extend(values)], dtype=float)
        if case.gap(values) <= 0.0:
            assert worst_violation(encoding.constraints, solution) == 0.0
            assert inside(pool, solution)
        else:
            assert worst_violation(encoding.constraints, solution) > 0.0

    @named(CONDITION_CASES)
    @few
    @given(data=st.data())
    def test_sound_and_complete_over_all_solutions(
        self, case: ConditionCase, data: st.DataObject
    ) -> None:
        points = data_points(data, case.inputs)
        values = [p.value for p in points]
        pool = VariablePool()
        ds = draw_inputs(pool, points)
        encoding = case.build(pool, ds)
        found = extremes(pool, encoding.constraints, dict(zip(ds, values, strict=True)))
        assert (found is not None) == (case.gap(values) <= 0.0)

    @named([case for case in CONDITION_CASES if case.inputs == 3])
    @pytest.mark.parametrize("centre", [-1.5, 0.0, 1.5])
    def test_both_outcomes_occur(self, case: ConditionCase, centre: float) -> None:
        """The table's thresholds lie among the points that the tests draw."""
        grid = [centre - 2.0, 0.0, centre, 2.0, 6.0]
        gaps = [case.gap(point) for point in product(grid, repeat=3)]
        assert min(gaps) <= 0.0
        assert max(gaps) > 0.0 or case.name == "at most 3 of 3 non-zero"


UNITS = {
    "variable": None,
    "ReLU": Relu,
    "Abs": Abs,
    "Max": Max,
    "disjunction": Disjunction,
    "row": Row,
}


def promised_cost(encoding: Callable[..., Encoding], symbols: Mapping[str, int]) -> dict[str, int]:
    """The cost a docstring promises, its formulas evaluated at ``symbols``; 0 where silent."""
    cost = dict.fromkeys(UNITS, 0)
    promise = entries(encoding)["Cost"].split(";")[0]
    for part in promise.split(","):
        match = re.fullmatch(
            r"(?:at most )?(.+) (variable|ReLU|Abs|Max|disjunction|row)s?", part.strip()
        )
        assert match, f"{encoding.__name__}: cannot read the cost {part!r}"
        formula = match[1]
        assert re.fullmatch(r"[nmt0-9 ()*+-]+", formula), formula
        cost[match[2]] = eval(formula, {"__builtins__": {}}, dict(symbols))
    return cost


@named(
    [case for case in (*VALUE_CASES, *RADIUS_CASES, *CONDITION_CASES) if case.symbols is not None]
)
def test_sized_as_its_docstring_says(case: ValueCase | RadiusCase | ConditionCase) -> None:
    pool = VariablePool()
    xs = pool.fresh_many("x", np.full(case.inputs, -8.0), np.full(case.inputs, 8.0))
    encoding = case.build(pool, xs)
    kinds = Counter(type(constraint) for constraint in encoding.constraints)
    counted = {
        unit: len(pool) - case.inputs if kind is None else kinds[kind]
        for unit, kind in UNITS.items()
    }
    assert counted == promised_cost(case.encoding, case.symbols)
