"""Counterexamples judged: in exact numbers, in the type of the file, and by onnxruntime."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from property_texts import IDENTITY, network, text_of

from marapatch.cli import main
from marapatch.errors import ContradictionError
from marapatch.formats.vnnlib.reader import parse_property
from marapatch.problem.verdict import Evidence, Sat, Unknown, Unsat
from marapatch.search.branch_and_bound.input_tree import InputSplit
from marapatch.solvers import MarabouBackend
from marapatch.verification.api import verify


def test_a_witness_of_the_files_type_is_preferred(tmp_path: Path, marabou: MarabouBackend) -> None:
    """Between 0.1 and 0.1000001 there are float32 numbers: no real-valued point is needed."""
    net = network(tmp_path, *IDENTITY)
    asked = parse_property(text_of(1, 1, [["0.1", "0.1000001"]], "(>= Y_0 0.05)"))
    result = verify(net, asked, marabou, nodes=20000)
    assert isinstance(result.verdict, Sat)
    witness = result.verdict.witness
    assert witness.exact is None
    (value,) = witness.input.tolist()
    assert Fraction(1, 10) <= Fraction(value) <= Fraction("0.1000001")


def test_conditions_met_by_equality(tmp_path: Path, marabou: MarabouBackend) -> None:
    """-relu(x - 0.25) >= 0 is met where it is 0, and > 0 nowhere, which no bound can show."""
    net = network(tmp_path, [[1.0]], [[-1.0]], biases=[-0.25])
    for condition, status in {
        "(>= Y_0 0)": "sat",
        "(> Y_0 0)": "unknown",
        "(>= Y_0 1e-9)": "unsat",
    }.items():
        asked = parse_property(text_of(1, 1, [[-1, 1]], condition))
        result = verify(net, asked, marabou, nodes=500)
        assert result.status == status
        assert not isinstance(result.verdict, Unknown) or result.verdict.reason


CANCELLING = ([[1e8], [1e8]], [[1.0, -1.0]])
"""(1e8 x + 1) - 1e8 x: 1 in real numbers, 0 in single precision."""


def test_what_onnxruntime_contradicts_is_not_sat(
    tmp_path: Path, marabou: MarabouBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    net = network(tmp_path, *CANCELLING, biases=[1.0, 0.0])
    text = text_of(1, 1, [[0.5, 1]], "(>= Y_0 0.5)")
    result = verify(net, parse_property(text), marabou, nodes=100)
    assert isinstance(result.verdict, Unknown)
    assert "not of the file as onnxruntime" in result.verdict.reason
    opposite = text_of(1, 1, [[0.5, 1]], "(<= Y_0 0.5)")
    assert verify(net, parse_property(opposite), marabou, nodes=20000).status == "unsat"
    (tmp_path / "p.vnnlib").write_text(text)
    code = main(
        ["verify", str(tmp_path / "model.onnx"), str(tmp_path / "p.vnnlib"), "--nodes", "9"]
    )
    printed = capsys.readouterr()
    assert (code, printed.out) == (1, "unknown\n")
    assert printed.err.startswith("marapatch: unknown: what was found is a counterexample of")
    assert printed.err.count("\n") == 1


def test_a_proof_against_an_exact_counterexample_is_a_contradiction(
    tmp_path: Path, marabou: MarabouBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that lies: what is then known contradicts itself, whatever onnxruntime says."""
    net = network(tmp_path, *CANCELLING, biases=[1.0, 0.0])
    asked = parse_property(text_of(1, 1, [[0.5, 1]], "(>= Y_0 0.5)"))
    lie = Unsat(float("inf"), Evidence.BOUND)
    monkeypatch.setattr(InputSplit, "advance", lambda *_: lie)
    with pytest.raises(ContradictionError, match="exact evaluation found one"):
        verify(net, asked, marabou, nodes=100)
