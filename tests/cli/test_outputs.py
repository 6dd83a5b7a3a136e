"""What ``marapatch groundtruth`` leaves behind: checked beforehand, whole, said where it is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reported_results import OPEN, UNFOUND

from marapatch.cli.outputs import Outputs, report, write_array
from marapatch.errors import InputError
from marapatch.formats.inputs import LoadedImage, read_image


@pytest.fixture
def image(tmp_path: Path) -> LoadedImage:
    np.save(tmp_path / "x.npy", np.array([0.5, 0.0]))
    return read_image(str(tmp_path / "x.npy"))


def test_a_target_s_witness_stands_beside_the_nearest() -> None:
    outputs = Outputs(witness=Path("deep/w.npy"), each=(1, 3))
    assert outputs.beside(3) == Path("deep/w-3.npy")
    assert outputs.beside(2) is None
    assert Outputs(each=(1,)).beside(1) is None


def test_what_cannot_be_written_is_known_before_any_work(tmp_path: Path) -> None:
    given = tmp_path / "x.npy"
    given.write_bytes(b"")
    with pytest.raises(InputError):
        Outputs(witness=given).check([given])
    with pytest.raises(InputError):
        Outputs(witness=tmp_path / "none" / "w.npy").check([])
    with pytest.raises(InputError, match="picture"):
        Outputs(picture=tmp_path / "w.gif").check([])
    with pytest.raises(InputError):
        Outputs(witness=tmp_path / "w-1.npy", report=tmp_path / "w-1.npy").check([])
    Outputs(witness=tmp_path / "w.npy", report=tmp_path / "r.json", each=(1,)).check([given])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy"]


def test_an_array_is_read_back_as_it_was(tmp_path: Path) -> None:
    array = np.array([[0.1, -0.0]], np.float32)
    assert write_array(tmp_path / "w.npy", array) == str(tmp_path / "w.npy")
    found = np.load(tmp_path / "w.npy")
    assert found.dtype == np.float32
    assert found.tobytes() == array.tobytes()


def test_files_and_the_answer_say_the_same(
    tmp_path: Path, image: LoadedImage, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = Outputs(tmp_path / "w.npy", tmp_path / "r.json", each=(1,))
    report(OPEN, outputs, image, index=None, decision="argmax")
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["lower"] == OPEN.lower
    assert content["upper"] == OPEN.upper
    assert (np.load(tmp_path / "w.npy") == OPEN.witness).all()
    assert (np.load(tmp_path / "w-1.npy") == OPEN.witness).all()
    said = capsys.readouterr()
    assert "0.125" in said.out
    assert "0.5" in said.out
    assert said.err == ""


def test_a_witness_that_is_not_there_is_not_written_and_that_is_said(
    tmp_path: Path, image: LoadedImage, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = Outputs(tmp_path / "w.npy", picture=tmp_path / "w.png")
    report(UNFOUND, outputs, image, index=None, decision="argmax")
    said = capsys.readouterr()
    assert said.err.count("was not written") == 2
    assert not (tmp_path / "w.npy").exists()
    assert not (tmp_path / "w.png").exists()


def test_an_interrupt_is_said_first(image: LoadedImage, capsys: pytest.CaptureFixture[str]) -> None:
    report(replace(OPEN, interrupted=True), Outputs(), image, index=None, decision="argmax")
    assert capsys.readouterr().out.startswith("interrupted; what is known so far:\n")
