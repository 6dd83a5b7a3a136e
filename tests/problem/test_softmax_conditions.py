"""Rows over probabilities as rows over scores: against the probabilities in 60 digits."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from math import exp, log

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from probability_rows import LOG_SOFTMAX, SOFTMAX, row, rows

from marapatch.errors import InputError
from marapatch.network.output_transform import OutputTransform
from marapatch.problem.softmax_conditions import ScoreRow, estimate, holds, score_rows, tangent_at
from marapatch.problem.specification import LinearRow


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
    for member in group:
        value = sum(float(c * y[j]) for j, c in member.scores.items()) - float(member.rhs)
        if member.weight:
            inner = sum(exp(float(y[j] + o)) for j, o in member.offsets.items())
            value -= float(member.weight) * log(inner)
        total += exp(min(value, 50.0))
    return total


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
