"""What is asked of the outputs: classes, margins, linear conditions, and files of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marapatch.errors import InputError
from marapatch.patching.goal_files import read_goals, read_list
from marapatch.patching.goals import (
    Goal,
    combinations,
    linear,
    none_of,
    one_of,
    parse,
    per_input,
)
from marapatch.problem.conditions import Rule

EXACT = np.zeros(4)


def met(goal: Goal, *outputs: float) -> bool:
    return goal.surplus(np.array(outputs), EXACT[: len(outputs)]) > 0.0


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


def test_a_list_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "want.txt"
    file.write_text("# goals\n3\n\n0|1\n")
    assert read_list(str(file)) == ["3", "0|1"]
    assert read_list("3, 5,0|1") == ["3", "5", "0|1"]
    with pytest.raises(InputError, match="no such file"):
        read_list(str(tmp_path / "gone.txt"))
    file.write_text("# nothing\n")
    with pytest.raises(InputError, match="holds no goal"):
        read_list(str(file))


TOML = """
[[goal]]
want = "0|1"
margin = 0.5

[[goal]]
matrix = [[1, -1, 0]]
rhs = [0.25]

[[goal]]
avoid = 2
"""


def test_goals_of_a_toml_file(tmp_path: Path) -> None:
    file = tmp_path / "goal.toml"
    file.write_text(TOML)
    goals = read_goals(file, 3, 3, Rule.ARGMAX, None)
    assert [goal.margin for goal in goals] == [0.5, 0.0, 1e-3]
    assert met(goals[1], 1.3, 1.0, 9.0)
    assert not met(goals[1], 1.2, 1.0, 9.0)
    with pytest.raises(InputError, match="3 goals for 2 inputs"):
        read_goals(file, 2, 3, Rule.ARGMAX, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[goal]]\nwnat = 1", "'wnat' is not one of"),
        ("[[goal]]\nwant = 1\nmatrix = [[1]]", "give want or avoid, or matrix and rhs"),
        ("[[goal]]\nmatrix = [[1]]", "give want or avoid, or matrix and rhs"),
        ("[[goal]]\nmatrix = [['a']]\nrhs = [1]", "goal 0: matrix must be rows of numbers"),
        ("[[goal]]\nwant = 7", "class 7 is not one of"),
        ("[[goal]]\nwant = 1\nmargin = 'x'", "the margin must be a number"),
        ("want = 1", "write \\[\\[goal\\]\\] tables"),
        ("[[goal", "cannot be read as TOML"),
    ],
)
def test_bad_toml(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "goal.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        read_goals(file, 1, 3, Rule.ARGMAX, None)


VNNLIB = """
(declare-const X_0 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
(assert (or (and (>= Y_0 1.0)) (and (>= Y_1 (+ Y_0 2.0)))))
"""


def test_the_outputs_of_a_vnnlib_file(tmp_path: Path) -> None:
    file = tmp_path / "goal.vnnlib"
    file.write_text(VNNLIB)
    (goal,) = read_goals(file, 1, 2, Rule.ARGMAX, None)
    assert len(goal.clauses) == 2
    assert met(goal, 1.5, 0.0)
    assert met(goal, -5.0, 0.0)
    assert not met(goal, 0.5, 1.0)
    with pytest.raises(InputError, match="declares 2 outputs, the network has 3"):
        read_goals(file, 1, 3, Rule.ARGMAX, None)
