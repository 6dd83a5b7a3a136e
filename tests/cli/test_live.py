"""The live line of a search: drawn on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import RUN

from marapatch.groundtruth.result import Progress


def test_the_live_line_is_drawn_on_a_terminal_and_plain_lines_elsewhere(files: Path) -> None:
    command = [sys.executable, "-m", "marapatch", *RUN]
    verbose = subprocess.run([*command, "-v"], capture_output=True, check=True, text=True)
    assert "target 0 (1 of 2): 0." in verbose.stderr
    assert "\x1b" not in verbose.stderr

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment) as run:
        os.close(theirs)
        drawn = b""
        while chunk := read(ours):
            drawn += chunk
        assert run.stdout is not None
        assert run.stdout.read() != b""
    os.close(ours)
    assert run.returncode == 0
    assert b"\x1b[2K" in drawn  # the line is redrawn, and erased at the end
    assert b"distance" in drawn


def read(terminal: int) -> bytes:
    """What the other side wrote; empty when it has closed the terminal."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def test_progress_names_target_bracket_and_queries(capsys: pytest.CaptureFixture[str]) -> None:
    from marapatch.cli.live import LiveLine

    with LiveLine(verbose=True, notes=["a note"]) as live:
        for queries in range(3):
            live(Progress(3, 1, 9, 0.125, 0.5, queries, 2.0))
        live(Progress(4, 2, 9, 0.25, float("inf"), 7, 2.0))
    assert capsys.readouterr().err.splitlines() == [
        "marapatch: a note",
        "target 3 (2 of 9): 0.125000 <= distance <= 0.500000, 0 queries, 0 s",
        "target 4 (3 of 9): 0.250000 <= distance <= inf, 7 queries, 0 s",
    ]
