"""Rows over probabilities as rows over scores: against the probabilities in 60 digits."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from math import exp, log

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from marapatch.errors import InputError
from marapatch.network.graph import dense_network
from marapatch.network.output_transform import OutputTransform
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm
from marapatch.problem.row_groups import Groups
from marapatch.problem.softmax_conditions import ScoreRow, estimate, holds, score_rows, tangent_at
from marapatch.problem.specification import LinearRow
from marapatch.verification.score_conditions import FormulatedCondition

SOFTMAX, LOG_SOFTMAX = OutputTransform.SOFTMAX, OutputTransform.LOG_SOFTMAX

small = st.integers(-20, 20).map(lambda n: Fraction(n, 10))
score = st.integers(-400, 400).map(lambda n: Fraction(n, 64))
scores = st.lists(score, min_size=1, max_size=5)


def outputs_of(y: list[Fraction], transform: OutputTransform) -> list[Decimal]:
    """The file's outputs, each wrong by less than 10^-50."""
    with localcontext() as context:
        context.prec = 70
        values = [Decimal(v.numerator) / Decimal(v.denominator) for v in y]
        total = sum(v.exp() for v in values)
        if transform is SOFTMAX:
            return [v.exp() / total for v in values]
        return [v - total.ln() for v in values]


def surplus_of(row: LinearRow, outputs: list[Decimal]) -> Decimal:
    with localcontext() as context:
        context.prec = 70
        total = -Decimal(row.rhs.numerator) / Decimal(row.rhs.denominator)
        for j, c in row.outputs.items():
            total += Decimal(c.numerator) / Decimal(c.denominator) * outputs[j]
        return total


def group_sum(group: tuple[ScoreRow, ...], y: list[Fraction]) -> float:
    """``sum exp(surplus)`` in float64."""
    total = 0.0
    for row in group:
        value = sum(float(c * y[j]) for j, c in row.scores.items()) - float(row.rhs)
        if row.weight:
            inner = sum(exp(float(y[j] + o)) for j, o in row.offsets.items())
            value -= float(row.weight) * log(inner)
        total += exp(min(value, 50.0))
    return total


@st.composite
def rows(draw: st.DrawFn) -> tuple[LinearRow, OutputTransform, list[Fraction]]:
    y = draw(scores)
    transform = draw(st.sampled_from([SOFTMAX, LOG_SOFTMAX]))
    chosen = draw(st.sets(st.integers(0, len(y) - 1), min_size=1))
    coefficients = {j: draw(small.filter(bool)) for j in chosen}
    rhs = draw(
        st.one_of(small, st.just(Fraction(0)), st.integers(-9, 9).map(lambda n: Fraction(n, 100)))
    )
    return LinearRow({}, coefficients, rhs, draw(st.booleans())), transform, y


@given(rows())
def test_groups_and_verdicts_agree_with_the_probabilities(
    drawn: tuple[LinearRow, OutputTransform, list[Fraction]],
) -> None:
    row, transform, y = drawn
    surplus = surplus_of(row, outputs_of(y, transform))
    verdict = holds(row, transform, (), [(v, v) for v in y])
    group = score_rows(row, transform, len(y))
    assert verdict is not None
    if abs(surplus) > Decimal("1e-40"):
        assert verdict == (surplus > 0)
    else:
        assert verdict == (not row.strict)  # equal, or nearer than any of these can be
    assert estimate(row, transform, np.array(y, float)) == pytest.approx(float(surplus), abs=1e-9)
    if verdict:  # complete: what holds meets the group, and every tangent of it
        assert group != ()
        assert group is None or group_sum(group, y) >= 1.0 - 1e-9
        for each in group or ():
            if each.weight:
                shares = dict(tangent_at(each, np.array(y, float)))
                assert sum(shares.values()) == 1
                linear = tuple(other.tangent(shares) for other in group or ())
                assert group_sum(linear, y) >= 1.0 - 1e-9
    elif group is not None and surplus < -Decimal("1e-3"):  # exact: what is missed is missed
        assert group_sum(group, y) < 1.0


@given(
    rows(), st.lists(st.integers(-400, 400).map(lambda n: Fraction(n, 64)), min_size=5, max_size=5)
)
def test_tangents_lie_below_wherever_they_touch(
    drawn: tuple[LinearRow, OutputTransform, list[Fraction]], touching: list[Fraction]
) -> None:
    row, transform, y = drawn
    group = score_rows(row, transform, len(y))
    assume(group)
    assert group is not None
    for each in group:
        if not each.weight:
            continue
        shares = dict(tangent_at(each, np.array(touching[: len(y)], float)))
        linear = each.tangent(shares)
        value = sum(float(c * y[j]) for j, c in each.scores.items()) - float(each.rhs)
        value -= float(each.weight) * log(
            sum(exp(float(y[j] + o)) for j, o in each.offsets.items())
        )
        above = sum(float(c * y[j]) for j, c in linear.scores.items()) - float(linear.rhs)
        assert value <= above + 1e-9 * (1.0 + abs(above))


def row(coefficients: dict[int, float], rhs: float, *, strict: bool = False) -> LinearRow:
    return LinearRow({}, {j: Fraction(c) for j, c in coefficients.items()}, Fraction(rhs), strict)


@pytest.mark.parametrize(
    ("asked", "transform", "classes", "found"),
    [
        (row({0: 1}, 0), SOFTMAX, 3, None),  # P_0 >= 0 always
        (row({0: 1}, -1), SOFTMAX, 3, None),
        (row({0: 1}, 1), SOFTMAX, 3, ()),  # P_0 >= 1 never with three classes
        (row({0: 1}, 1), SOFTMAX, 1, None),
        (row({0: 1}, 1, strict=True), SOFTMAX, 1, ()),
        (row({0: -1}, 0), SOFTMAX, 3, ()),  # P_0 <= 0 never
        (row({0: -1}, -1), SOFTMAX, 3, None),
        (row({0: 1, 1: 1}, 1), SOFTMAX, 2, None),  # the sum is 1
        (row({0: 1, 1: 1}, 1, strict=True), SOFTMAX, 2, ()),
        (row({0: 1, 1: 1}, 1), SOFTMAX, 3, ()),
        (row({0: 1}, 0), LOG_SOFTMAX, 2, ()),
        (row({0: 1}, 0), LOG_SOFTMAX, 1, None),
        (row({0: 1}, 0, strict=True), LOG_SOFTMAX, 1, ()),
        (row({0: 1}, -1), LOG_SOFTMAX, 1, None),
        (row({0: -1}, 1), LOG_SOFTMAX, 1, ()),
        (row({0: -1}, 0), LOG_SOFTMAX, 2, None),
        (row({0: -1}, 0), LOG_SOFTMAX, 1, None),
        (row({0: -1}, 0, strict=True), LOG_SOFTMAX, 1, ()),
        (row({0: 1}, -5000), LOG_SOFTMAX, 2, None),  # too little to say
    ],
)
def test_what_is_decided_without_scores(
    asked: LinearRow, transform: OutputTransform, classes: int, found: tuple[()] | None
) -> None:
    assert score_rows(asked, transform, classes) == found


def test_orders_survive_exactly() -> None:
    (order,) = score_rows(row({0: 1, 2: -1}, 0), SOFTMAX, 3) or ()
    assert (order.scores, order.rhs, order.weight) == ({0: 1, 2: -1}, 0, 0)
    (order,) = score_rows(row({0: 1, 2: -1}, 0.5), LOG_SOFTMAX, 3) or ()
    assert (order.scores, order.rhs, order.weight) == ({0: 1, 2: -1}, Fraction(1, 2), 0)


def test_two_classes_are_log_odds_rounded_to_ask_for_less() -> None:
    (odds,) = score_rows(row({1: 1}, 0.75), SOFTMAX, 2) or ()
    assert odds.scores == {1: 1, 0: -1}
    assert Fraction(log(3.0)) + Fraction(1, 10**15) - odds.rhs > 0
    assert float(odds.rhs) == pytest.approx(log(3.0))
    # exp(rhs) <= 3, by a series with an error term
    total, term = Fraction(1), Fraction(1)
    for k in range(1, 60):
        term = term * odds.rhs / k
        total += term
    assert total < 3 < total * (1 + Fraction(1, 10**37))


@pytest.mark.parametrize("transform", [OutputTransform.ARGMAX, OutputTransform.SEVERAL])
def test_other_ends_are_refused_by_name(transform: OutputTransform) -> None:
    with pytest.raises(InputError, match=transform.value):
        score_rows(row({0: 1}, 0.5), transform, 3)
    with pytest.raises(InputError, match="a comparison of inputs with Softmax"):
        score_rows(LinearRow({0: Fraction(1)}, {0: Fraction(1)}, Fraction(0), False), SOFTMAX, 3)


@pytest.mark.parametrize(
    ("operators", "transform"),
    [
        ([], OutputTransform.NONE),
        (["Softmax"], SOFTMAX),
        (["LogSoftmax"], LOG_SOFTMAX),
        (["LogSoftmax", "LogSoftmax"], LOG_SOFTMAX),
        (["LogSoftmax", "Softmax"], SOFTMAX),
        (["Softmax", "LogSoftmax"], OutputTransform.SEVERAL),
        (["Softmax", "Softmax"], OutputTransform.SEVERAL),
        (["Softmax", "ArgMax"], OutputTransform.ARGMAX),
    ],
)
def test_chains_of_operators(operators: list[str], transform: OutputTransform) -> None:
    assert OutputTransform.of(operators) is transform


def test_groups_of_rows_in_float64() -> None:
    groups = Groups(np.array([0, 1]))
    slack = np.array([[0.5, log(0.25), log(0.5)], [0.5, log(0.75), log(0.5)]])
    np.testing.assert_allclose(groups.slack(slack), [[0.5, log(0.75)], [0.5, log(1.25)]])
    np.testing.assert_allclose(groups.shares(slack)[0], [0.0, 1 / 3, 2 / 3])
    # missed by log 4 and log 2: 1/4 + 1/2 < 1, refuted; by log 2 each: not
    refuted = groups.refuted(np.array([[-1.0, log(4), log(2)], [-1.0, log(2), log(2)]]))
    assert refuted[0] == pytest.approx(log(4 / 3))
    assert refuted[1] <= 0.0
    single = Groups(np.arange(2))
    least = np.array([[1e-300, -3.0], [-1e-300, -2.0]])
    np.testing.assert_array_equal(single.refuted(least), [1e-300, -1e-300])


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
