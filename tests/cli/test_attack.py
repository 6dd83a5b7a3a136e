"""``marapatch attack``: what it finds, writes and says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import SMALL

from marapatch.cli import main


def test_attack_finds_a_witness_and_writes_it(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attack", "net.nnet", "image.npy", "--norm", "l2", "--out", "w.npy"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["fgm", "bim", "cw", "all"]
    decided = int(np.argmax(SMALL.evaluate(np.load("image.npy"))))
    assert int(np.argmax(SMALL.evaluate(np.load("w.npy").astype(float)))) != decided


def test_attack_that_finds_nothing_exits_with_1(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("box.npy", np.array([[0.25, 0.5, 0.75], [0.2501, 0.5, 0.75]]))
    code = main(["attack", "net.nnet", "image.npy", "--box", "box.npy", "--method", "fgm"])
    assert code == 1
    assert capsys.readouterr().out == "fgm  found nothing\n"
