"""``marapatch fetch``: what there is."""

from __future__ import annotations

import pytest

from marapatch.cli import main


def test_fetch_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch"]) == 0
    assert "acasxu       60 files" in capsys.readouterr().out
