"""What ``marapatch patch`` leaves behind: the network read again, the report, the answer."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest

from marapatch.cli.patch_outputs import PatchLine, PatchOutputs, report
from marapatch.errors import InputError
from marapatch.network.graph import dense_network
from marapatch.network.load import load
from marapatch.patching.api import minimal_patch
from marapatch.patching.patch import Patch
from marapatch.patching.solve import PatchProgress
from marapatch.problem.conditions import Rule


@pytest.fixture(scope="module")
def found() -> Patch:
    network = dense_network([np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2)])
    return minimal_patch(network, [1.0, 0.5], 1, layer="last", margin=1e-3)


def test_what_cannot_be_written_is_known_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.onnx"):
        PatchOutputs(network=tmp_path / "n.nnet").check([])
    with pytest.raises(InputError, match="picture"):
        PatchOutputs(picture=tmp_path / "p.bmp").check([])
    given = tmp_path / "net.onnx"
    given.write_bytes(b"")
    with pytest.raises(InputError):
        PatchOutputs(network=given).check([given])
    PatchOutputs(tmp_path / "n.onnx", tmp_path / "r.json").check([given])
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_the_network_written_holds_the_patch(
    found: Patch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = PatchOutputs(tmp_path / "n.onnx", tmp_path / "r.json", tmp_path / "p.png")
    labelled = np.array([[1.0, 0.5], [0.0, 1.0]]), np.array([1, 1])
    report([found], outputs, labelled, Rule.ARGMAX, every=False)
    assert load(tmp_path / "n.onnx").evaluate([1.0, 0.5]).argmax() == 1
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["patched_confirmed"] is True
    assert content["check"] == {"inputs": 2, "before": 0.5, "after": 1.0, "changed": 1}
    assert (tmp_path / "p.png").stat().st_size > 1000
    said = capsys.readouterr().out
    assert "onnxruntime meets every goal" in said
    assert "0.5000 before, 1.0000 after; 1 decisions change" in said


def test_without_a_patch_no_network_is_written(
    found: Patch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = replace(found, upper=inf, delta=None, delta_bias=None)
    report([unknown], PatchOutputs(tmp_path / "n.onnx"), None, Rule.ARGMAX, every=False)
    assert "was not written" in capsys.readouterr().err
    assert not (tmp_path / "n.onnx").exists()


def test_of_several_layers_all_are_in_the_report(found: Patch, tmp_path: Path) -> None:
    several = [replace(found, upper=2.0 * found.upper), found]
    report(several, PatchOutputs(report=tmp_path / "r.json"), None, Rule.ARGMAX, every=True)
    assert len(json.loads((tmp_path / "r.json").read_text())["layers"]) == 2


def test_the_line_names_layer_and_bracket(capsys: pytest.CaptureFixture[str]) -> None:
    with PatchLine(verbose=True) as line:
        line(PatchProgress(2, 0.125, 0.5, 7, 1.0))
    assert "layer 2: 0.125000 <= patch <= 0.500000, 7 queries" in capsys.readouterr().err
    with PatchLine(verbose=False) as line:
        line(PatchProgress(2, 0.125, 0.5, 7, 1.0))
    assert capsys.readouterr().err == ""
