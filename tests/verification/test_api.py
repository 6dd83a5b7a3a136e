"""Properties decided: both searches agree with the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_properties import grid, network_of

from marapatch.cli import main
from marapatch.formats.vnnlib.reader import parse_property
from marapatch.problem.verdict import Evidence, Sat, Unsat
from marapatch.solvers import MarabouBackend
from marapatch.verification.api import verify


@pytest.mark.parametrize("seed", range(12))
def test_both_searches_agree_with_a_fine_grid(seed: int, marabou: MarabouBackend) -> None:
    """Asked for more than the largest value on a grid plus what lies between: never sat wrongly,
    never unsat wrongly; asked for clearly less: sat."""
    network = network_of(seed)
    points = grid(2)
    values = network.evaluate(points)
    lead = values[:, 0] - values[:, 1]
    best, spread = float(lead.max()), float(np.ptp(lead))
    words = []
    for gap in (-0.3, -0.01, -1e-6, 0.01, 0.3):
        matrix, rhs = np.array([[1.0, -1.0]]), np.array([best + gap * spread])
        text = "".join(f"(declare-const {v} Real)" for v in ("X_0", "X_1", "Y_0", "Y_1"))
        text += "".join(f"(assert (>= X_{i} -1.0))(assert (<= X_{i} 1.0))" for i in (0, 1))
        text += f"(assert (>= (- Y_0 Y_1) {rhs[0]:.17f}))"
        result = verify(network, parse_property(text), marabou, nodes=20000)
        if gap < 0.0:
            assert result.status == "sat"
        if result.status == "sat":
            assert isinstance(result.verdict, Sat)
            x = result.verdict.witness.input
            assert ((x >= -1) & (x <= 1)).all()
            assert matrix @ network.evaluate(x)[0] >= rhs
        elif result.status == "unsat":
            assert best < rhs[0]
            assert isinstance(result.verdict, Unsat)
            assert result.verdict.evidence is Evidence.BOUND
        words.append(result.status)
    assert words[-1] == "unsat"


@pytest.mark.parametrize(
    ("network", "number", "status"),
    [("1_1", 4, "unsat"), ("4_5", 3, "unsat"), ("2_1", 2, "sat"), ("1_1", 1, "unsat")],
)
def test_acas_xu(
    network: str, number: int, status: str, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = data_dir / "acasxu"
    code = main(
        [
            "verify",
            str(folder / "onnx" / f"ACASXU_run2a_{network}_batch_2000.onnx"),
            str(folder / "vnnlib" / f"prop_{number}.vnnlib"),
            "--nodes",
            "100000",
        ]
    )
    assert code == 0
    assert capsys.readouterr().out.splitlines()[0] == status
