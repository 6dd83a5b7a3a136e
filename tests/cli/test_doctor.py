"""``marapatch doctor``: all is well, or exit code 3."""

from __future__ import annotations

import pytest

from marapatch.cli import main


def test_doctor_says_that_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if ":" in line]
    assert len(lines) == 5
    assert all(": " in line and " ok: " in line for line in lines)


def test_doctor_exits_with_3_where_an_answer_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from marapatch.solvers.base import Infeasible
    from marapatch.solvers.highs.backend import HighsBackend

    monkeypatch.setattr(HighsBackend, "solve", lambda *given: Infeasible())
    assert main(["doctor"]) == 3
    captured = capsys.readouterr()
    assert "highs: sat query         WRONG: unsat" in captured.out
    assert "1 check(s) failed" in captured.err
