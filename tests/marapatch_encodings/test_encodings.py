"""Every encoding is complete, sound and sized as its docstring says, and draws tight bounds."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from itertools import product
from math import inf, isinf, nextafter

import numpy as np
import pytest
from case_enumeration import extremes
from encoding_table import (
    CONDITION_CASES,
    RADIUS_CASES,
    VALUE_CASES,
    ConditionCase,
    RadiusCase,
    ValueCase,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import BoxedPoint, boxed_points, dyadics

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
    absolute,
    absolute_native,
    any_of,
    beats,
    cardinality,
    clip,
    each_beats,
    l1_ball,
    l1_radius,
    leaky,
    linear,
    linear_condition,
    linf_ball,
    maximum,
    maximum_native,
    one_beats,
    untargeted,
    worst_violation,
)
from marapatch_encodings.catalogue import entries
from marapatch_encodings.l1_ball import L1_FORMS, L1Form

LP = 1e-6
"""The tolerance of results that come out of a linear program."""

few = settings(max_examples=15, deadline=None)
many = settings(max_examples=60, deadline=None)


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

    def test_maximum_of_the_same_variable_twice(self) -> None:
        pool = VariablePool()
        x = pool.fresh("x", -1.0, 2.0)
        encoding = maximum(pool, [x, x])
        found = extremes(pool, encoding.constraints, {x: -0.5}, {encoding.variable: 1.0})
        assert found == pytest.approx((-0.5, -0.5), abs=LP)

    @many
    @given(
        slope=st.floats(-4.0, 4.0),
        ends=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=2).map(sorted),
    )
    @example(-3.9999999999999996, [1.0, 1.0])
    @example(0.01, [-0.3, 0.7])
    def test_leaky_is_off_by_no_more_than_it_says(self, slope: float, ends: list[float]) -> None:
        pool = VariablePool()
        x = pool.fresh("x", *ends)
        encoding = leaky(pool, x, slope)
        lower, upper = map(Fraction, pool.bounds(encoding.variable))
        (_, value_row) = encoding.constraints
        assert isinstance(value_row, Row)
        gain = dict(zip(value_row.variables.tolist(), value_row.coefficients.tolist(), strict=True))
        for end in map(Fraction, ends):
            intended = end if end >= 0 else Fraction(slope) * end
            encoded = Fraction(gain.get(x, 0.0)) * end + Fraction(gain.get(1, 0.0)) * max(end, 0)
            assert abs(encoded - intended) <= Fraction(2) ** -53 * (1 + abs(Fraction(slope))) * max(
                end, 0
            )
            assert lower <= encoded <= upper

    @many
    @given(
        st.lists(
            st.tuples(
                st.floats(-1e300, 1e300),
                st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=2).map(sorted),
            ),
            max_size=4,
        ),
        st.floats(-1e9, 1e9),
    )
    @example([(1e300, [1e9, 1e9])], 0.0)
    @example([(-1e300, [1e9, 1e9])], 0.0)
    @example([(0.1, [0.1, 0.3]), (1.0, [0.2, 0.2])], 0.7)
    def test_linear_bounds_are_rounded_outward(
        self, terms: list[tuple[float, list[float]]], constant: float
    ) -> None:
        pool = VariablePool()
        xs = [pool.fresh("x", *ends) for _, ends in terms]
        encoding = linear(pool, [(x, c) for x, (c, _) in zip(xs, terms, strict=True)], constant)
        lower, upper = pool.bounds(encoding.variable)
        products = [sorted(Fraction(c) * Fraction(end) for end in ends) for c, ends in terms]
        low = sum((p[0] for p in products), Fraction(constant))
        high = sum((p[1] for p in products), Fraction(constant))
        assert isinf(lower) or Fraction(lower) <= low
        assert isinf(upper) or high <= Fraction(upper)
        for bound, exact, inward in ((lower, low, inf), (upper, high, -inf)):
            if isinf(bound):
                assert abs(exact) > Fraction(sys.float_info.max)
                continue
            if Fraction(bound) == exact:
                continue
            nearer = nextafter(bound, inward)  # infinite where the exact end is beyond all floats
            assert isinf(nearer) or (Fraction(nearer) > exact) == (inward > 0)


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

    @pytest.mark.parametrize("form", L1_FORMS)
    @few
    @given(weights=st.lists(dyadics(-2.0, 2.0), min_size=3, max_size=3), radius=dyadics(0.0, 4.0))
    def test_l1_ball_has_the_support_function_of_the_ball(
        self, form: L1Form, weights: list[float], radius: float
    ) -> None:
        pool = VariablePool()
        ds = pool.fresh_many("d", np.full(3, -4.0), np.full(3, 4.0))
        encoding = l1_ball(pool, ds, radius, form)
        found = extremes(pool, encoding.constraints, {}, dict(zip(ds, weights, strict=True)))
        support = radius * max(map(abs, weights))
        assert found == pytest.approx((-support, support), abs=LP)

    @few
    @given(weights=st.lists(dyadics(-2.0, 2.0), min_size=3, max_size=3), radius=dyadics(0.0, 4.0))
    def test_linf_ball_has_the_support_function_of_the_ball(
        self, weights: list[float], radius: float
    ) -> None:
        pool = VariablePool()
        ds = pool.fresh_many("d", np.full(3, -4.0), np.full(3, 4.0))
        encoding = linf_ball(pool, ds, radius)
        found = extremes(pool, encoding.constraints, {}, dict(zip(ds, weights, strict=True)))
        support = radius * sum(map(abs, weights))
        assert found == pytest.approx((-support, support), abs=LP)

    def test_split_parts_are_not_the_positive_and_negative_part(self) -> None:
        """What the docstring warns of: d = 0 with both parts positive is a solution."""
        pool = VariablePool()
        d = pool.fresh("d", -1.0, 1.0)
        encoding = l1_ball(pool, [d], 1.0, "split")
        assert worst_violation(encoding.constraints, [0.0, 0.5, 0.5]) == 0.0

    @pytest.mark.parametrize("form", L1_FORMS)
    def test_a_ball_that_misses_the_box_is_infeasible_not_an_error(self, form: L1Form) -> None:
        pool = VariablePool()
        ds = pool.fresh_many("d", [2.0, -1.0], [3.0, 1.0])
        encoding = l1_ball(pool, ds, 1.5, form)
        assert extremes(pool, encoding.constraints, {}) is None

    def test_linf_ball_leaves_out_what_the_bounds_say(self) -> None:
        pool = VariablePool()
        ds = pool.fresh_many("d", [-1.0, -3.0, -1.0], [1.0, 1.0, 1.25])
        assert linf_ball(pool, ds[:1], 1.0).constraints == ()
        assert len(linf_ball(pool, ds, 1.0).constraints) == 2

    def test_one_alternative_needs_no_disjunction(self) -> None:
        pool = VariablePool()
        ys = pool.fresh_many("y", np.zeros(3), np.ones(3))
        assert one_beats(ys, {1}) == beats(ys, 1)
        assert untargeted(ys[:2], 0) == beats(ys[:2], 1)
        assert any_of([beats(ys, 1)]) == beats(ys, 1)

    def test_relaxation_rounds_towards_the_weaker_condition(self) -> None:
        pool = VariablePool()
        ys = pool.fresh_many("y", np.zeros(2), np.ones(2))
        margin, relaxation = 1.0, 1e-17
        (lead,) = beats(ys, 0, "argmax", margin, relaxation).constraints
        assert isinstance(lead, Row)
        assert Fraction(lead.rhs) <= Fraction(margin) - Fraction(relaxation)


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


@pytest.mark.parametrize("form", L1_FORMS)
def test_l1_radius_costs_one_variable_more_than_the_ball(form: L1Form) -> None:
    kinds, variables = [], []
    for build in (lambda pool, ds: l1_ball(pool, ds, 2.0, form), partial(l1_radius, form=form)):
        pool = VariablePool()
        ds = pool.fresh_many("d", np.full(4, -1.0), np.ones(4))
        kinds.append([type(constraint) for constraint in build(pool, ds).constraints])
        variables.append(len(pool))
    assert kinds[0] == kinds[1]
    assert variables[0] + 1 == variables[1]


def _pool_of_three() -> tuple[VariablePool, tuple[Variable, ...]]:
    pool = VariablePool()
    return pool, pool.fresh_many("x", np.full(3, -1.0), np.ones(3))


_pool, _xs = _pool_of_three()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: maximum(_pool, []), "at least one"),
        (lambda: maximum_native(_pool, []), "at least one"),
        (lambda: leaky(_pool, _xs[0], inf), "finite"),
        (lambda: clip(_pool, _xs[0], 1.0, 0.0), "low <= high"),
        (lambda: clip(_pool, _xs[0], -inf, 0.0), "finite"),
        (lambda: linear(_pool, {_xs[0]: 1.0}, within=(2.0, 3.0)), "empty"),
        (lambda: linf_ball(_pool, _xs, -1.0), "radius"),
        (lambda: linf_ball(_pool, _xs, float("nan")), "radius"),
        *((lambda form=form: l1_ball(_pool, _xs, -1.0, form), "radius") for form in L1_FORMS),
        (lambda: l1_ball(_pool, _xs, inf), "radius"),
        (lambda: l1_ball(_pool, _xs, 1.0, "l2"), "no L1 form"),
        (lambda: l1_radius(_pool, _xs, "l2"), "no L1 form"),
        (lambda: cardinality(_pool, _xs, -1), "limited"),
        (lambda: beats(_xs, 3), "class 3 does not exist"),
        (lambda: beats(_xs, -1), "class -1 does not exist"),
        (lambda: beats(_xs, 0, "max"), "no rule"),
        (lambda: beats(_xs, 0, margin=-0.1), "margin"),
        (lambda: beats(_xs, 0, relaxation=float("nan")), "relaxation"),
        (lambda: each_beats(_xs, ()), "0 of 3 classes"),
        (lambda: each_beats(_xs, (0, 1, 2)), "3 of 3 classes"),
        (lambda: one_beats(_xs, (0, 1, 2)), "3 of 3 classes"),
        (lambda: one_beats(_xs, (0, 5)), "class 5 does not exist"),
        (lambda: untargeted(_xs, 4), "class 4 does not exist"),
        (lambda: untargeted(_xs[:1], 0), "no alternative"),
        (lambda: linear_condition(_xs, [[1.0, 2.0]], [0.0]), "shapes"),
        (lambda: linear_condition(_xs, [[1.0, 2.0, 3.0]], [0.0, 1.0]), "shapes"),
        (lambda: linear_condition(_xs, [[1.0, 2.0, inf]], [0.0]), "finite"),
        (lambda: any_of([]), "no alternative"),
        (lambda: any_of([untargeted(_xs, 0)]), "rows only"),
        (lambda: any_of([absolute(_pool, _xs[0])]), "rows only"),
        (lambda: absolute_native(_pool, _xs[0]) and beats(_xs, 0).variable, "defines no value"),
    ],
)
def test_bad_input_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
