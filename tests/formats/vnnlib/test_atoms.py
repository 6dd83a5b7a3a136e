"""Linear atoms in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

from property_files import declared

from marapatch.formats.vnnlib.reader import parse_property


def test_linear_rows_over_inputs_and_outputs_are_kept_exactly() -> None:
    text = declared(2, 1) + "(assert (<= (+ (* 0.1 X_0) X_1) Y_0))(assert (< (* 3 X_0) 1))"
    (case,) = parse_property(text).cases
    assert case.box.upper == (Fraction(1, 3), None)
    assert case.box.open_above == {0}
    ((row,),) = case.alternatives
    assert (row.inputs, row.outputs, row.rhs) == (
        {0: Fraction(-1, 10), 1: Fraction(-1)},
        {0: Fraction(1)},
        Fraction(0),
    )
    read = parse_property(text)
    assert read.holds([0.25, 0.0], [0.5])
    assert not read.holds([0.5, 0.0], [0.5])  # 3/2 is not below 1
    assert not read.holds([0.25, 0.5], [0.5])


def test_numbers_are_those_of_the_file() -> None:
    """0.1 is a tenth, not the float64 number nearest to it."""
    (case,) = parse_property(declared(1, 0) + "(assert (>= X_0 0.1))").cases
    assert case.box.lower == (Fraction(1, 10),)
    assert not case.box.contains([Fraction(1, 10) - Fraction(1, 10**400)])
    assert case.lower[0] == 0.1
