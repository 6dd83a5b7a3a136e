"""The scripts of docs/library.md: short, shown there as they are, and running."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "examples"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py"))
PAGE = Path(__file__).parents[2] / "docs" / "library.md"
LONGEST = 15


def printed(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    runpy.run_path(str(FOLDER / name), run_name="__main__")
    return capsys.readouterr().out


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.\d+", text)]


def test_there_are_five() -> None:
    assert SCRIPTS == [
        "acas_xu.py",
        "ground_truth.py",
        "minimal_patch.py",
        "own_constraint.py",
        "relational.py",
    ]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_short_and_shown(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert len(text.splitlines()) <= LONGEST
    assert f"```python\n{text}```" in PAGE.read_text(), f"{PAGE} does not show {name}"


def test_ground_truth(capsys: pytest.CaptureFixture[str]) -> None:
    lower, upper = numbers(printed("ground_truth.py", capsys))
    assert 0.0 <= lower <= upper <= 0.5


def test_own_constraint(capsys: pytest.CaptureFixture[str]) -> None:
    values = re.findall(r"-?\d\.\d?", printed("own_constraint.py", capsys))
    assert len(values) == 8 * 12
    assert all(0.0 <= float(value) <= 1.0 for value in values)


def test_minimal_patch(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed("minimal_patch.py", capsys)
    lower, upper = numbers(out.splitlines()[0])
    assert 0.0 < lower <= upper <= lower + 2e-4
    assert out.splitlines()[1] == "now decided: 3"


def test_relational(capsys: pytest.CaptureFixture[str]) -> None:
    most, shown = numbers(printed("relational.py", capsys).splitlines()[0])
    assert shown <= most <= shown + 2e-3


def test_acas_xu(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del data_dir
    assert printed("acas_xu.py", capsys).split() == [
        "1",
        "unsat",
        "2",
        "sat",
        "3",
        "unsat",
        "4",
        "unsat",
    ]
