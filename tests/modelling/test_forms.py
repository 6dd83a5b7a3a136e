"""Columns of a problem as forms over a query's variables: values, ranges and names."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp

from marapatch.modelling.forms import Forms


def forms() -> tuple[Forms, list]:
    made = Forms()
    variables = [made.pool.fresh("a", -1.0, 2.0), made.pool.fresh("b", 0.1, 0.3)]
    made.append_variables([variables[0], None, variables[1]])
    return made, variables


def test_columns_are_variables_or_nothing() -> None:
    made, _ = forms()
    assert made.columns == 3
    made.append(sp.csr_array(np.array([[2.0, -1.0]])), np.array([0.5]))
    assert made.columns == 4


def test_a_range_holds_the_exact_range_and_little_more() -> None:
    made, _ = forms()
    matrix, constant = sp.csr_array(np.array([[2.0, -1.0], [0.0, 0.0]])), np.array([0.25, 3.0])
    low, high = made.range(matrix, constant)
    exact = (
        Fraction(-2) - Fraction(0.3) + Fraction(1, 4),
        Fraction(4) - Fraction(0.1) + Fraction(1, 4),
    )
    assert Fraction(float(low[0])) <= exact[0]
    assert exact[1] <= Fraction(float(high[0]))
    assert [low[0], high[0]] == pytest.approx([float(end) for end in exact], abs=1e-12)
    assert low[1] <= 3.0 <= high[1]


def test_a_form_that_is_a_variable_stays_it_and_others_get_one() -> None:
    made, variables = forms()
    matrix = sp.csr_array(np.array([[1.0, 0.0], [2.0, 1.0], [0.0, 0.0]]))
    named = made.name_it(matrix, np.array([0.0, 0.0, 7.0]), "t")
    assert named[0] == variables[0]
    assert len(made.constraints) == 1
    assert made.pool.bounds(named[2]) == (7.0, 7.0)
    low, high = made.pool.bounds(named[1])
    assert low <= -1.9
    assert high >= 4.3


def test_fixed_entries_become_numbers() -> None:
    made, _ = forms()
    made.substitute(np.array([0.0, 0.5, 0.2]), np.array([1.0, 0.5, 0.2]))
    low, high = made.range(made._blocks[-1], made._constants[-1])
    assert low[0] == pytest.approx(-1.0)
    assert [low[1], high[1]] == pytest.approx([0.5, 0.5], abs=1e-12)
    assert [low[2], high[2]] == pytest.approx([0.2, 0.2], abs=1e-12)
