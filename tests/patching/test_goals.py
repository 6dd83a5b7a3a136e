"""What is asked of the outputs: classes, margins, linear conditions, and files of them."""

from __future__ import annotations

import numpy as np
import pytest
from goal_checks import met

from marapatch.errors import InputError
from marapatch.patching.goals import Goal, combinations, linear, none_of, one_of, parse, per_input
from marapatch.problem.conditions import Rule


@pytest.mark.parametrize(
    ("text", "outputs", "expected"),
    [
        ("0", (2.0, 1.0, 1.0, 1.0), True),
        ("0", (2.0, 1.95, 1.0, 1.0), False),
        ("0|1", (2.0, 0.0, 1.0, 1.0), True),
        ("0|1", (0.0, 2.0, 1.0, 1.0), True),
        ("0|1", (2.0, 2.0, 1.0, 1.0), True),
        ("0|1", (1.05, 0.0, 1.0, 1.0), False),
        ("0&1", (2.0, 0.0, 1.0, 1.0), False),
        ("0&1", (2.0, 1.2, 1.0, 1.0), True),
        ("3", (0.0, 0.0, 0.0, 1.0), True),
    ],
)
@pytest.mark.parametrize("rule", [Rule.ARGMAX, Rule.ARGMIN])
def test_classes(text: str, outputs: tuple[float, ...], expected: bool, rule: Rule) -> None:
    assert met(parse(text, 4, rule, 0.1), *(rule.sign * y for y in outputs)) is expected


def test_avoided_classes_must_be_led_by_one_and_the_same_other() -> None:
    goal = none_of([0, 1], 4, Rule.ARGMAX, 0.1)
    assert met(goal, 1.0, 2.0, 3.0, 0.0)
    assert not met(goal, 3.0, 2.0, 2.5, 2.9)


def test_the_error_of_the_outputs_counts_against_a_goal() -> None:
    goal = one_of([0], 2, Rule.ARGMAX, 0.0)
    y, error = np.array([1.0, 0.5]), np.array([0.3, 0.1])
    assert 0.09 < goal.surplus(y, error) < 0.1
    assert goal.surplus(y, 2.0 * error) < 0.0
    assert not goal.missed(np.array([0.5, 1.0]), 2.0 * error)
    assert goal.missed(np.array([0.5, 1.0]), error)


def test_a_tie_is_not_won() -> None:
    assert not met(one_of([0], 2, Rule.ARGMAX, 0.0), 1.0, 1.0)


@pytest.mark.parametrize(
    ("want", "avoid", "texts"),
    [
        (["3"], [], ["3", "3", "3"]),
        (["3", "1", "0|2"], [], ["3", "1", "0|2"]),
        ([], ["2"], ["not 2"] * 3),
        (["3", "-", "1"], ["-", "0", "-"], ["3", "not 0", "1"]),
        (["3"], ["0"], ["3"] * 3),
    ],
)
def test_one_goal_for_all_or_one_an_input(
    want: list[str], avoid: list[str], texts: list[str]
) -> None:
    goals = per_input(want, avoid, 3, 4, Rule.ARGMAX, 0.0)
    assert [goal.text for goal in goals] == texts


@pytest.mark.parametrize(
    ("want", "avoid", "message"),
    [
        (["3", "1"], [], "names 2 goals, but there are 3 inputs"),
        (["9"], [], "class 9 is not one of"),
        (["a"], [], "give classes as in"),
        (["0|1&2"], [], "not both"),
        (["0|1|2|3"], [], "at least one outside"),
        (["3"], ["3"], "both wanted and avoided"),
        (["3", "-", "1"], [], "input 1 has no goal"),
        ([], ["0&1"], "joined by |"),
    ],
)
def test_bad_classes(want: list[str], avoid: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        per_input(want, avoid, 3, 4, Rule.ARGMAX, 0.0)


def test_a_linear_condition_and_its_margin() -> None:
    goal = linear([[1.0, -2.0]], [0.5], 2, margin=0.25)
    assert met(goal, 3.0, 1.0)
    assert not met(goal, 2.75, 1.0)
    with pytest.raises(InputError, match="does not fit 2 outputs"):
        linear([[1.0, 2.0, 3.0]], [0.0], 2)


def test_every_combination_of_alternatives() -> None:
    either = Goal(
        (*linear([[1.0, 0.0]], [0.0], 2).clauses, *linear([[0.0, 1.0]], [0.0], 2).clauses), "", 0.0
    )
    assert len(combinations([either, either, either])) == 8
    with pytest.raises(InputError, match="2048 combinations"):
        combinations([either] * 11)
