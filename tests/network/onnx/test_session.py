"""onnxruntime as a witness of witnesses: what it cannot run it does not confirm, and no more."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from onnx_models import model, node, save

from marapatch.cli import main
from marapatch.network.load import load
from marapatch.network.onnx.outputs import run_onnx
from marapatch.network.onnx.session import OnnxSession

WEIGHTS = {"W": np.array([[1.0, -1.0], [0.5, 2.0]]), "b": np.array([0.25, 0.0])}
NODES = [
    node("Gemm", ["x", "W", "b"], ["z"]),
    node("LeakyRelu", ["z"], ["y"], alpha=0.125),
]


def leaky(folder: Path, elem_type: int) -> Path:
    return save(model(NODES, ["batch", 2], WEIGHTS, elem_type=elem_type), folder, "net.onnx")


def test_a_file_that_runs(tmp_path: Path) -> None:
    path = leaky(tmp_path, TensorProto.FLOAT)
    session = OnnxSession.of(path.read_bytes())
    x = np.array([0.5, 1.0], np.float32)
    found = session.outputs(x)
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, load(path).evaluate(x)[0])
    np.testing.assert_array_equal(session.outputs(x[None]), found)
    assert session.reason == ""
    assert session.outputs(np.zeros(3, np.float32)) is None
    assert session.outputs(np.zeros(2)) is None


def test_a_file_without_a_kernel_says_why(tmp_path: Path) -> None:
    path = leaky(tmp_path, TensorProto.DOUBLE)
    session = OnnxSession.of(path.read_bytes())
    assert session.session is None
    assert "LeakyRelu" in session.reason
    assert "\n" not in session.reason
    assert session.outputs(np.zeros(2)) is None
    assert run_onnx(path.read_bytes(), np.zeros((1, 2)), load(path)) is None


@pytest.mark.parametrize("content", [b"", b"this is no network", b"\xff" * 40])
def test_what_is_no_file_of_onnx(content: bytes) -> None:
    session = OnnxSession.of(content)
    assert session.session is None
    assert session.reason


def test_commands_leave_confirmed_open_where_onnxruntime_has_no_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    leaky(tmp_path, TensorProto.DOUBLE)
    Path("x.csv").write_text("0.9,0.1\n")
    asked = ["net.onnx", "x.csv", "--box", "0,1"]
    assert main(["groundtruth", *asked, "--json", "r.json"]) == 0
    (target,) = json.loads(Path("r.json").read_text())["targets"]
    assert target["witness_confirmed"] is None
    assert main(["patch", "net.onnx", "x.csv", "--want", "1", "--json", "p.json"]) == 0
    assert main(["patch-attack", *asked]) == 0
    Path("p.vnnlib").write_text(
        "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)"
        "(declare-const Y_1 Real)(assert (>= X_0 0))(assert (<= X_0 1))(assert (>= X_1 0))"
        "(assert (<= X_1 1))(assert (>= Y_1 Y_0))"
    )
    capfd.readouterr()
    assert main(["verify", "net.onnx", "p.vnnlib"]) == 0
    out, err = capfd.readouterr()
    assert out.startswith("sat\n")
    assert err == ""
