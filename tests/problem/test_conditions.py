"""Decisions, and the conditions that change them."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest

from marapatch.errors import InputError
from marapatch.problem.conditions import OutputCondition, Rule, beats

OUTPUTS = np.array(
    [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [2.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, 5.0, 4.5]]
)


@pytest.mark.parametrize(
    ("rule", "expected"), [(Rule.ARGMAX, [2, 0, 0, 0, 1]), (Rule.ARGMIN, [0, 2, 2, 0, 0])]
)
def test_the_decision_and_ties_go_to_the_lowest_class(rule: Rule, expected: list[int]) -> None:
    assert [rule.decide(y) for y in OUTPUTS] == expected


@pytest.mark.parametrize("rule", Rule)
@pytest.mark.parametrize("margin", [0.0, 0.75])
def test_the_worst_slack_is_the_lead_over_the_best_rival_less_the_margin(
    rule: Rule, margin: float
) -> None:
    for target in range(3):
        condition = beats(target, 3, rule, margin)
        for y in OUTPUTS:
            signed = y if rule is Rule.ARGMAX else -y
            lead = signed[target] - np.delete(signed, target).max()
            assert condition.worst(y[None])[0] == lead - margin


@pytest.mark.parametrize("rule", Rule)
def test_a_strict_win_meets_the_condition_and_a_tie_meets_it_without_margin(rule: Rule) -> None:
    for y in OUTPUTS:
        winner = rule.decide(y)
        assert beats(winner, 3, rule).worst(y[None])[0] >= 0.0
    tie = np.array([[1.0, 1.0, 0.0 if rule is Rule.ARGMAX else 2.0]])
    assert beats(1, 3, rule).worst(tie)[0] == 0.0
    assert beats(1, 3, rule, 1e-9).worst(tie)[0] < 0.0


def test_the_slack_of_a_batch() -> None:
    condition = beats(1, 3, Rule.ARGMAX)
    assert condition.slack(OUTPUTS).shape == (5, 2)
    assert condition.worst(OUTPUTS).tolist() == [-1.0, -1.0, 0.0, 0.0, 0.5]


@pytest.mark.parametrize("target", [-1, 3, 17])
def test_a_target_that_is_no_class_is_refused(target: int) -> None:
    with pytest.raises(InputError, match="not one of the 3 classes"):
        beats(target, 3, Rule.ARGMAX)


@pytest.mark.parametrize("margin", [-1e-9, nan, inf])
def test_a_margin_that_is_none_is_refused(margin: float) -> None:
    with pytest.raises(InputError, match="margin"):
        beats(0, 3, Rule.ARGMAX, margin)


@pytest.mark.parametrize(
    ("matrix", "rhs"),
    [
        (np.ones((2, 3)), np.ones(1)),
        (np.ones((2, 3)), np.ones(3)),
        (np.ones(3), np.ones(1)),
        (np.full((1, 3), nan), np.ones(1)),
        (np.ones((1, 3)), np.full(1, inf)),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(matrix: np.ndarray, rhs: np.ndarray) -> None:
    with pytest.raises(InputError, match="output condition"):
        OutputCondition(matrix, rhs)


def test_a_condition_is_copied_and_frozen() -> None:
    matrix = np.ones((1, 2))
    condition = OutputCondition(matrix, np.zeros(1))
    matrix[0, 0] = 7.0
    assert condition.matrix[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        condition.rhs[0] = 1.0
