"""Bars of progress are for terminals: elsewhere nothing of them is on stderr, with any rich."""

from __future__ import annotations

import io

import pytest

from marapatch.cli.patch_attack_live import Live
from marapatch.cli.progress_bar import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", shown := Terminal())
    with progress_bar() as bar:
        bar.update(bar.add_task("nodes checked"), completed=1, total=2)
    assert "nodes checked" in shown.getvalue()


def test_nothing_is_written_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as bar:
        bar.update(bar.add_task("nodes checked"), completed=1, total=2)
        bar.console.print()  # as rich before 14.3 does where a disabled bar ends
    with Live(3, [], verbose=False) as live:
        live._bar.console.print()
    said = capsys.readouterr()
    assert said.out == said.err == ""
