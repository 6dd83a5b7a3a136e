"""``marapatch mark``: the marks of a network, in numbers and as a picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx_models import model, node, save
from PIL import Image

from marapatch.cli import main


@pytest.fixture
def worked_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The network of the paper's figure 1."""
    monkeypatch.chdir(tmp_path)
    weights = {
        "W0": np.array([[1.0, -1.0], [1.0, 2.0]]),
        "W1": np.array([[2.0, 1.0], [3.0, 1.0]]),
        "W2": np.array([[2.0, -4.0], [-8.0, 5.0]]),
    }
    nodes = [
        node("MatMul", ["x", "W0"], ["z0"]),
        node("Relu", ["z0"], ["a0"]),
        node("MatMul", ["a0", "W1"], ["z1"]),
        node("Relu", ["z1"], ["a1"]),
        node("MatMul", ["a1", "W2"], ["y"]),
    ]
    return save(model(nodes, [1, 2], weights), tmp_path, "paper.onnx")


def test_marks_of_the_worked_example(
    worked_example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["paper.onnx", "--target", "1", "--json", "marks.json", "--plot", "marks.png"]
    assert main(["mark", *arguments]) == 0
    printed = capsys.readouterr().out
    for line in ("inputs: **", "ReLU layer 1: **", "ReLU layer 2: -+", "outputs: -+"):
        assert line in printed
    report = json.loads(Path("marks.json").read_text())
    assert report["layers"][2] == ["decrement", "increment"]
    assert report["table"][2] == {
        "layer": 2, "size": 2, "increment": 1, "decrement": 1, "free": 0, "none": 0,
    }  # fmt: skip
    with Image.open("marks.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    colours = {tuple(pixel) for pixel in np.unique(pixels, axis=0).tolist()}
    assert {(44, 160, 44), (214, 39, 40), (127, 127, 127)} <= colours


def test_marks_of_a_large_network_are_counted_but_not_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["mark", "example:mnist_3x24", "--target", "3"]) == 0
    printed = capsys.readouterr().out
    assert "outputs: ---+------" in printed
    assert "inputs:" not in printed
    assert main(["mark", "example:mnist_3x24", "--target", "3", "--plot", "no.png"]) == 2
    assert "too many to draw" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_marks_of_a_class_that_is_not_there(
    worked_example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mark", "paper.onnx", "--target", "2", "--json", "marks.json"]) == 2
    assert "2" in capsys.readouterr().err
    assert not Path("marks.json").exists()
