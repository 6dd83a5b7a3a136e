"""Goals in files: lists, TOML, VNN-LIB."""

from __future__ import annotations

from pathlib import Path

import pytest
from goal_checks import met

from marapatch.errors import InputError
from marapatch.patching.goal_files import read_goals, read_list
from marapatch.problem.conditions import Rule


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
