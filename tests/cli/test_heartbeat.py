"""A sign of life of long commands: neither too seldom nor too often."""

from __future__ import annotations

import threading

import pytest

from marapatch.cli import heartbeat
from marapatch.cli.heartbeat import Heartbeat


def test_there_is_a_line_though_nobody_tells_any(capsys: pytest.CaptureFixture[str]) -> None:
    said = threading.Event()
    count = 0

    def text() -> str:
        nonlocal count
        count += 1
        if count == 3:
            said.set()
        return f"line {count}"

    with Heartbeat(text, shown=True, silence=1e-3):
        assert said.wait(60.0)
    assert capsys.readouterr().err.startswith("line 1\nline 2\nline 3\n")


def test_lines_are_not_told_too_often(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 50.0
    monkeypatch.setattr(heartbeat, "monotonic", lambda: now)
    with Heartbeat(lambda: f"at {now:.0f}", shown=True, silence=60.0) as lines:
        for now in (50.0, 51.0, 56.0, 57.0):  # noqa: B007
            lines.tell()
        lines.tell(always=True)
    with Heartbeat(lambda: "nothing", shown=False, silence=1e-3) as lines:
        lines.tell()
    assert capsys.readouterr().err.splitlines() == ["at 50", "at 56", "at 57"]
