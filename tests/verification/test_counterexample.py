"""Counterexamples as they are written, real-valued ones too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from property_texts import network, run, text_of


def test_command_with_a_real_valued_counterexample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network(tmp_path, np.vstack([np.eye(2), -np.eye(2)]), [[1.0, 1.0, -1.0, -1.0]])
    out = tmp_path / "w.npy"
    text = text_of(2, 1, [["0.1", "0.1"], ["-1", "1"]], "(>= Y_0 0.5)")
    code, lines, err = run(tmp_path, text, capsys, "--witness", str(out))
    assert (code, lines[0], lines[1]) == (0, "sat", "((X_0 0.1)")
    assert err.count("\n") == 1
    assert "no float32 vector is in the input box: the counterexample is the real-valued" in err
    assert "meets the property too, within the competition's tolerance" in err
    x = np.load(out)
    assert x[0] == np.float32(0.1)
    assert lines[2] == f"(X_1 {np.format_float_positional(x[1], trim='0')})"
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    (y,) = session.run(None, {"x": x[None]})[0][0].tolist()
    assert float(lines[3].removeprefix("(Y_0 ").removesuffix("))")) == pytest.approx(y)
