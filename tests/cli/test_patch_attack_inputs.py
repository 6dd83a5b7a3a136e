"""What ``marapatch patch-attack`` is given: refused where it does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_models import model, node, save
from patch_attack_files import WEIGHTS, attack

from marapatch.network.load import load

BAD = [
    (["gone.npy"], "gone.npy"),
    (["nan.npy"], "must be finite"),
    (["wide.npy"], "neither one input nor several"),
    (["outside.npy"], "image 6: outside.npy: entry 0 is 1.5, outside the box [0, 1]"),
    (["one.npy", "--target", "7"], "target 7 is not one of the network's classes 0..2"),
    (["one.npy", "--index", "1"], "leave out --index"),
    (["images.npy", "--limit", "0"], "--limit 0"),
    (["images.npy", "--labels", "long.npy"], "9 labels for 6 images"),
    (["images.npy", "--labels", "half.npy"], "whole numbers of 0..2"),
    (["images.npy", "--labels", "gone.npz"], "gone.npz"),
    (["one.npy", "--max-pixel", "0"], "max_pixel must be positive"),
    (["one.npy", "--margin", "-1"], "margin"),
    (["one.npy", "--timeout", "0"], "timeout"),
    (["one.npy", "--targets", "0"], "targets"),
    (["one.npy", "--pictures", "-1"], "--pictures -1"),
    (["one.npy", "--backend", "luck"], "backend 'luck'"),
    (["one.npy", "--phases", "linear"], "samples"),
    (["one.npy", "--phases", "linear", "--samples", "wide.npy"], "wide.npy"),
    (["one.npy", "--features", "gone.onnx"], "gone.onnx: cannot be read"),
    (["one.npy", "--features", "net.onnx:top"], "has no layer 'top'"),
    (["one.npy", "--transfer", "gone.onnx"], "gone.onnx"),
    (["one.npy", "-o", "other"], "holds other things"),
    (["one.npy", "-o", "net.onnx"], "is no folder"),
    (["one.npy", "-o", "gone/out"], "no folder"),
    (["one.npy", "--json", "net.onnx"], "would be overwritten"),
    (["one.npy", "--json", "a.png", "--plot", "a.png"], "would be overwritten"),
    (["one.npy", "--plot", "a.txt"], "a picture ends in"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(a) for a, _ in BAD])
def test_bad_input(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(str(path) for path in folder.rglob("*"))
    assert attack(*arguments, *([] if "-o" in arguments else ["-o", "out"])) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.strip().splitlines()) == 1
    assert message in printed.err
    assert sorted(str(path) for path in folder.rglob("*")) == before


def test_an_image_decided_as_the_target_already(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = int(load("net.onnx").evaluate(np.load("one.npy")).argmax())
    assert attack("one.npy", "--target", str(target), "-o", "out") == 2
    assert f"already decided {target}; choose another --target" in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_network_of_another_task_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(
        model([node("MatMul", ["x", "W"], ["y"])], [1, 5], {"W": np.ones((5, 3))}), folder, "w.onnx"
    )
    for option in ("--transfer", "--features"):
        assert attack("one.npy", option, "w.onnx") == 2
        assert "w.onnx: takes 5 numbers" in capsys.readouterr().err


def test_hidden_activations_other_than_relu_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = [
        node("Gemm", ["x", "W0", "b0"], ["z0"]),
        node("Sigmoid", ["z0"], ["a0"]),
        node("MatMul", ["a0", "W1"], ["y"]),
    ]
    save(model(nodes, [1, 4], WEIGHTS), folder, "net.onnx")
    assert attack("one.npy", "-o", "out") == 2
    assert "Sigmoid" in capsys.readouterr().err
    assert not Path("out").exists()
