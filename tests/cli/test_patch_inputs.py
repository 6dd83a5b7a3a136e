"""Bad input to ``marapatch patch``: exit 2, one line that says what to do, nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx_models import model, node, save

from marapatch.cli import main

RNG = np.random.default_rng(8)
WEIGHTS = {
    "W0": RNG.normal(size=(2, 4)),
    "b0": np.array([0.1, 0.2, -0.1, 0.3]),
    "W1": RNG.normal(size=(4, 3)),
}
NODES = [
    node("Gemm", ["x", "W0", "b0"], ["z"]),
    node("Relu", ["z"], ["a"]),
    node("MatMul", ["a", "W1"], ["y"]),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save(model(NODES, ["batch", 2], WEIGHTS), tmp_path, "net.onnx")
    np.save("one.npy", np.array([0.5, 0.25]))
    np.save("two.npy", np.array([[0.5, 0.25], [0.1, 0.9]]))
    np.save("nan.npy", np.array([0.5, np.nan]))
    np.save("huge.npy", np.array([0.5, 1e300]))
    np.save("wide.npy", np.zeros((2, 3)))
    np.save("many.npy", np.zeros((1001, 2)))
    np.save("mask.npy", np.ones((4, 4), dtype=bool))
    np.save("none.npy", np.zeros((3, 4), dtype=bool))
    np.save("half.npy", np.full((3, 4), 0.5))
    np.savez("labelled.npz", images=np.ones((3, 2)), labels=np.array([0, 1]))
    Path("bad.toml").write_text("[[goal]]\nwant = 9\n")
    return tmp_path


BAD = [
    (["one.npy"], "--want LABELS, --avoid LABELS or --spec FILE"),
    (["one.npy", "--want", "0,1"], "names 2 goals, but there are 1 inputs"),
    (["two.npy", "--want", "0,1,2"], "names 3 goals, but there are 2 inputs"),
    (["one.npy", "--want", "7"], "class 7 is not one of the network's classes 0..2"),
    (["one.npy", "--want", "x"], "give classes as in 3"),
    (["one.npy", "--want", "0", "--avoid", "0"], "both wanted and avoided"),
    (["one.npy", "--want", "0", "--spec", "bad.toml"], "leave out --want"),
    (["one.npy", "--spec", "bad.toml"], "class 9"),
    (["one.npy", "--spec", "gone.toml"], "gone.toml"),
    (["one.npy", "--spec", "net.onnx"], "ends in .toml or .vnnlib"),
    (["nan.npy", "--want", "0"], "must be finite"),
    (["huge.npy", "--want", "0"], "NaN or infinity"),
    (["wide.npy", "--want", "0"], "wide.npy"),
    (["gone.npy", "--want", "0"], "gone.npy"),
    (["many.npy", "--want", "0"], "1001 inputs are too many"),
    (["one.npy", "--want", "0", "--layer", "2"], "there are 0 ("),
    (["one.npy", "--want", "0", "--layer", "first"], "give a number or 'last'"),
    (
        ["one.npy", "--want", "0", "--weights", "mask.npy"],
        "a mask of shape (4, 4) has more entries",
    ),
    (["one.npy", "--want", "0", "--weights", "none.npy"], "no weight may change"),
    (["one.npy", "--want", "0", "--weights", "half.npy"], "must hold booleans"),
    (["one.npy", "--want", "0", "--weights", "mask.npy", "--layer", "all"], "one layer only"),
    (["one.npy", "--want", "0", "--bias"], "has no bias that could change"),
    (["one.npy", "--want", "0", "--max-change", "0"], "must be positive"),
    (["one.npy", "--want", "0", "--max-change", "nan"], "must be positive"),
    (["one.npy", "--want", "0", "--norm", "l0"], "norm l0 needs a largest change"),
    (["one.npy", "--want", "0", "--margin", "-1"], "margin"),
    (["one.npy", "--want", "0", "--margin", "nan"], "margin"),
    (["one.npy", "--want", "0", "--tolerance", "0"], "tolerance"),
    (["one.npy", "--want", "0", "--timeout", "0"], "timeout"),
    (["one.npy", "--want", "0", "--search", "luck"], "search 'luck'"),
    (["one.npy", "--want", "0", "--backend", "luck"], "backend 'luck'"),
    (["two.npy", "--want", "0", "--engine", "neurons", "--layer", "0"], "one input"),
    (["one.npy", "--want", "0", "--check", "labelled.npz"], "3 images need as many"),
    (["one.npy", "--want", "0", "--check", "one.npy"], "--check takes an .npz"),
    (["one.npy", "--want", "0", "-o", "net.onnx"], "would be overwritten"),
    (["one.npy", "--want", "0", "-o", "gone/out.onnx"], "no folder"),
    (["one.npy", "--want", "0", "-o", "out.txt"], "written as .onnx"),
    (["one.npy", "--want", "0", "--json", "out.onnx", "-o", "out.onnx"], "would be overwritten"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(a) for a, _ in BAD])
def test_bad_input(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in folder.iterdir())
    assert main(["patch", "net.onnx", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.strip().splitlines()) == 1
    assert message in printed.err
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_goal_already_met_is_a_patch_of_size_0(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for want in ("0", "1", "2"):
        code = main(["patch", "net.onnx", "one.npy", "--want", want, "--margin", "0"])
        assert code == 0
    assert "patch of size 0" in capsys.readouterr().out


def test_an_infeasible_goal_is_an_answer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No change of the last layer tells an input apart from itself."""
    np.save("same.npy", np.array([[0.5, 0.25], [0.5, 0.25]]))
    arguments = ["same.npy", "--want", "0,1", "--json", "out.json", "-o", "out.onnx"]
    assert main(["patch", "net.onnx", *arguments]) == 0
    printed = capsys.readouterr()
    assert "no change of it meets the goals" in printed.out
    assert "was not written" in printed.err
    assert not Path("out.onnx").exists()
    report = json.loads(Path("out.json").read_text())
    assert report["status"] == "none"
    assert report["lower"] is None
    assert report["upper"] is None


def test_an_input_that_reaches_nothing_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = {**WEIGHTS, "b0": np.full(4, -100.0)}
    save(model(NODES, ["batch", 2], still), folder, "dead.onnx")
    np.save("two.npy", np.array([[0.5, 0.25], [0.1, 0.9]]))
    assert main(["patch", "dead.onnx", "two.npy", "--want", "0"]) == 0
    assert "acts on input 0, 1" in capsys.readouterr().out


def test_the_input_that_cannot_be_met_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Input 1 alone needs more than the largest change; input 0 is met as it is."""
    first, second = WEIGHTS["W0"], WEIGHTS["b0"]
    rows = np.array([[0.5, 0.25], [0.1, 0.9]])
    decided = (np.maximum(rows @ first + second, 0.0) @ WEIGHTS["W1"]).argmax(axis=1)
    want = f"{decided[0]},{(decided[1] + 1) % 3}"
    np.save("two.npy", rows)
    arguments = ["two.npy", "--want", want, "--max-change", "1e-6", "--json", "out.json"]
    assert main(["patch", "net.onnx", *arguments]) == 0
    assert "no change will do for input 1," in capsys.readouterr().out
    assert json.loads(Path("out.json").read_text())["impossible"] == [1]
