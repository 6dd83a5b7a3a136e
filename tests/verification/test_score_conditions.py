"""Exact rows over inputs and scores as conditions that ask for less."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from marapatch.network.graph import dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm
from marapatch.problem.softmax_conditions import ScoreRow
from marapatch.verification.score_conditions import FormulatedCondition


def formulated(rows: list[ScoreRow]) -> FormulatedCondition:
    network = dense_network([np.array([[3.0, 0.0], [0.0, -5.0]])], [np.zeros(2)])
    ball = Ball(np.zeros(2), -np.ones(2), np.ones(2), Norm.LINF, 1.0)
    return FormulatedCondition.of(network.standard_form, ball, [(row,) for row in rows])


def test_rows_with_decimals_are_scaled_or_weakened() -> None:
    """0.1 Y_0 - 0.3 Y_1 >= 0.2 is the same as Y_0 - 3 Y_1 >= 2; thirds of long decimals are
    rounded, and the right-hand side gives way by what that can lose over the box."""
    exact = ScoreRow({}, {0: Fraction(1, 10), 1: Fraction(-3, 10)}, Fraction(1, 5))
    condition = formulated([exact]).condition([(exact,)])
    np.testing.assert_array_equal(condition.matrix, [[1.0, -3.0]])
    np.testing.assert_array_equal(condition.rhs, [2.0])
    long = Fraction(1, 3) + Fraction(1, 10**30)
    inexact = ScoreRow({}, {0: long, 1: Fraction(1)}, Fraction(1))
    condition = formulated([inexact]).condition([(inexact,)])
    lost = abs(Fraction(condition.matrix[0, 0]) - long) * 3  # |Y_0| <= 3 over the box
    assert 1 - 2 * lost < Fraction(condition.rhs[0]) <= 1 - lost + Fraction(1, 2**60)
    assert Fraction(condition.rhs[0]) <= 1 - lost


def test_rows_of_a_group_are_not_scaled() -> None:
    tenth = ScoreRow({}, {0: Fraction(1, 10)}, Fraction(1, 5))
    condition = formulated([tenth]).condition([(tenth, tenth)])
    np.testing.assert_array_equal(condition.matrix[:, 0], [0.1, 0.1])
    assert (condition.rhs <= 0.2).all()


def test_inputs_that_rows_speak_of_become_outputs() -> None:
    mixed = ScoreRow({1: Fraction(2)}, {0: Fraction(-1)}, Fraction(1))
    asked = formulated([mixed])
    assert asked.inputs == (1,)
    outputs = asked.form.evaluate(np.array([[0.25, 0.5], [-1.0, 1.0]]))
    np.testing.assert_array_equal(outputs, [[0.75, -2.5, 0.5], [-3.0, -5.0, 1.0]])
    condition = asked.condition([(mixed,)])
    np.testing.assert_array_equal(condition.slack(outputs), [[-0.75], [4.0]])
