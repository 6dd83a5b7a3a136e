"""``marapatch export``: a property as a query."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_properties import files

from marapatch.cli import main


@pytest.mark.parametrize("suffix", [".ipq", ".smt2", ".mps", ".lp", ".vnnlib", ".txt"])
def test_command_export(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, specification = files(tmp_path, "(assert (>= Y_0 Y_1))")
    out = tmp_path / f"query{suffix}"
    assert main(["export", network, specification, str(out)]) == 0
    capsys.readouterr()
    assert out.stat().st_size > 100
    assert (tmp_path / "query.ipq.csv").exists() == (suffix == ".ipq")


def test_command_export_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, specification = files(tmp_path, "(assert (>= Y_0 Y_1))")
    assert main(["export", network, specification, str(tmp_path / "query.pdf")]) == 2
    assert "suffix must be one of" in capsys.readouterr().err
    assert main(["export", network, specification, specification]) == 2
    assert "would be overwritten" in capsys.readouterr().err
