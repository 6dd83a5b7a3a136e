"""Files that are broken, lie about sizes or have no end: refused in one short line that names them.

A sample, drawn anew for each kind of file by a fixed seed; benchmarks/suites/hostile.py runs all of
them, each in a process of its own, and measures time and memory.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hostile_files import KINDS, contents, faults, hostile

from marapatch.cli import main

SEED = 1
SAMPLE = sorted(Random(SEED).sample(sorted(KINDS), 120))


@pytest.mark.parametrize("kind", SAMPLE)
def test_a_hostile_file_is_refused_in_one_line(
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MARAPATCH_DEBUG", raising=False)
    case = hostile(kind, SEED, folder)
    before = contents(folder)
    capfd.readouterr()
    code = main(case.arguments)
    assert faults(case, code, *capfd.readouterr()) == []
    assert contents(folder) == before


def test_the_files_that_help_are_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is refused is refused for the hostile file's sake."""
    monkeypatch.chdir(tmp_path)
    hostile("list: empty", SEED, tmp_path)
    asked = ["good.npy", "--box", "0,1"]
    for arguments in (
        ["groundtruth", "good.onnx", *asked],
        ["verify", "good.onnx", "good.vnnlib"],
        ["mark", "good.onnx", "--target", "0"],
        ["patch", "good.onnx", "good.npy", "--want", "0"],
        ["attack", "good.onnx", *asked],
        ["patch-attack", "good.onnx", *asked, "--transfer", "good.onnx"],
        ["export", "good.onnx", "good.vnnlib", "new.smt2"],
    ):
        assert main(arguments) == 0, capfd.readouterr().err
