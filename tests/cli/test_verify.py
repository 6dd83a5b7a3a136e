"""``marapatch verify``: sat, unsat, and what does not fit."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from small_properties import BOX, DECLARED, files, network_of

from marapatch.cli import main
from marapatch.errors import InputError
from marapatch.formats.vnnlib.reader import parse_property
from marapatch.solvers import MarabouBackend
from marapatch.verification.api import verify


def test_command_sat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, specification = files(tmp_path, "(assert (or (>= Y_0 1e6) (>= Y_0 Y_1) (>= Y_1 Y_0)))")
    out, text = tmp_path / "w.npy", tmp_path / "result.txt"
    code = main(
        ["verify", network, specification, "--witness", str(out), "--counterexample", str(text)]
    )
    printed = capsys.readouterr().out
    assert code == 0
    assert printed == text.read_text()
    status, *pairs = printed.splitlines()
    assert status == "sat"
    found = dict(re.fullmatch(r"\(?\(([XY]_\d) (\S+?)\)\)?", pair).groups() for pair in pairs)  # type: ignore[union-attr]
    assert list(found) == ["X_0", "X_1", "Y_0", "Y_1"]
    assert printed.count("(") == printed.count(")") == 5
    x = np.load(out)
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    shape = [n if isinstance(n, int) else 1 for n in given.shape]
    y = np.asarray(session.run(None, {given.name: x.reshape(shape)})[0]).ravel()
    assert [float(found[f"X_{i}"]) for i in (0, 1)] == x.ravel().tolist()
    assert np.array([found["Y_0"], found["Y_1"]], y.dtype) == pytest.approx(y, rel=1e-6)


def test_command_unsat_and_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, specification = files(tmp_path, "(assert (>= Y_0 1e6))")
    assert main(["verify", network, specification]) == 0
    assert capsys.readouterr().out == "unsat\n"
    assert main(["verify", network, str(tmp_path / "none.vnnlib")]) == 2
    captured = capsys.readouterr()
    assert captured.out == "error\n"
    assert "cannot be read" in captured.err
    assert captured.err.count("\n") == 1


def test_a_property_of_another_network_is_refused(marabou: MarabouBackend) -> None:
    network = network_of(1, 3)
    with pytest.raises(InputError, match=r"2 inputs and 2 outputs, the network has 3 and 2"):
        verify(network, parse_property(DECLARED + BOX + "(assert (>= Y_0 0.0))"), marabou)
    open_ended = DECLARED + BOX.replace("(assert (<= X_1 1.0))", "") + "(assert (>= Y_0 0.0))"
    with pytest.raises(InputError, match=r"X_1 has no finite bounds"):
        verify(network_of(1), parse_property(open_ended), marabou)
