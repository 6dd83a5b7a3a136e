"""Properties in exact numbers: rows, boxes with open ends, and cases."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from marapatch.errors import InputError
from marapatch.problem.specification import Case, ExactBox, LinearRow, Property, exact

THIRD = Fraction(1, 3)


def bound(i: int, coefficient: int, rhs: Fraction, *, strict: bool = False) -> LinearRow:
    return LinearRow({i: Fraction(coefficient)}, {}, rhs, strict)


def test_a_row_is_met_exactly_or_not_at_all() -> None:
    row = LinearRow({0: Fraction(3)}, {1: Fraction(-1)}, Fraction(0), False)
    strict = LinearRow({0: Fraction(3)}, {1: Fraction(-1)}, Fraction(0), True)
    x, y = (THIRD,), (Fraction(9), Fraction(1))
    assert row.surplus(x, y) == 0
    assert row.holds(x, y)
    assert not strict.holds(x, y)
    assert strict.holds((THIRD + Fraction(1, 10**30),), y)


def test_of_two_bounds_the_tighter_counts_and_of_equal_ones_the_strict() -> None:
    box = ExactBox.whole(2).narrowed(
        [
            bound(0, 2, Fraction(1)),  # x0 >= 1/2
            bound(0, 1, THIRD, strict=True),  # weaker
            bound(1, -1, -Fraction(1)),  # x1 <= 1
            bound(1, -3, -Fraction(3), strict=True),  # x1 < 1
        ]
    )
    assert box.lower == (Fraction(1, 2), None)
    assert box.upper == (None, Fraction(1))
    assert box.open_below == frozenset()
    assert box.open_above == {1}
    assert box.contains((Fraction(1, 2), Fraction(0)))
    assert not box.contains((Fraction(1, 2), Fraction(1)))


@pytest.mark.parametrize(
    ("rows", "empty"),
    [
        ([bound(0, 1, THIRD), bound(0, -1, -THIRD)], False),  # one point
        ([bound(0, 1, THIRD, strict=True), bound(0, -1, -THIRD)], True),
        ([bound(0, 1, Fraction(1)), bound(0, -1, -THIRD)], True),
        ([bound(0, 1, THIRD)], False),
    ],
)
def test_an_empty_box_is_known_exactly(rows: list[LinearRow], *, empty: bool) -> None:
    assert ExactBox.whole(1).narrowed(rows).empty is empty


def test_a_case_is_rounded_once_and_a_property_holds_where_a_case_does() -> None:
    box = ExactBox.whole(1).narrowed([bound(0, 1, THIRD), bound(0, -1, -Fraction(1))])
    row = LinearRow({}, {0: Fraction(1), 1: Fraction(-1)}, THIRD, False)
    case = Case(box, ((row,),), 2)
    assert case.lower.tolist() == [1.0 / 3.0]
    (condition,) = case.conditions
    assert condition.matrix.tolist() == [[1.0, -1.0]]
    assert condition.rhs.tolist() == [1.0 / 3.0]
    asked = Property("p.vnnlib", 1, 2, (case,))
    assert asked.holds([0.5], [1.0, 0.5])
    assert not asked.holds([0.5], [1.0, 0.7])  # the row
    assert not asked.holds([0.25], [1.0, 0.5])  # the box
    assert not asked.holds([1.0 / 3.0], [1.0, 0.5])  # the float is below a third


def test_rows_over_inputs_are_no_condition_on_outputs() -> None:
    row = LinearRow({0: Fraction(1), 1: Fraction(1)}, {}, Fraction(0), False)
    with pytest.raises(InputError, match="compares several inputs"):
        _ = Case(ExactBox.whole(2), ((row,),), 1).conditions


def test_floats_are_the_rational_numbers_they_are() -> None:
    assert exact(np.array([0.1, -2.0])) == (Fraction(0.1), Fraction(-2))
