"""Layers patched one after the other: as many as there is time for, and what is left is named."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from marapatch.cli import options
from marapatch.cli.options import TimeLimit
from marapatch.cli.patch_layers import each_layer


def patch(*, interrupted: bool = False) -> Any:
    return SimpleNamespace(interrupted=interrupted)


def test_every_layer_gets_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "monotonic", lambda: 100.0)
    asked = []

    def patched(*given: Any) -> Any:
        asked.append(given)
        return patch()

    found, interrupted = each_layer([0, 1], TimeLimit(3.0, None, 100.0), patched)
    assert len(found) == 2
    assert not interrupted
    assert asked == [(0, 3.0, 100.0), (1, 3.0, None)]


def test_where_time_is_over_the_first_layer_left_out_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(options, "monotonic", lambda: now)

    def patched(*_: Any) -> Any:
        nonlocal now
        now += 10.0
        return patch()

    found, interrupted = each_layer([4, 5, 6], TimeLimit(None, 15.0, 100.0), patched)
    assert (len(found), interrupted) == (2, False)
    assert "out of time before layer 6" in capsys.readouterr().err


def test_an_interrupt_keeps_what_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    def patched(number: int | str, *_: Any) -> Any:
        if number == 1:
            raise KeyboardInterrupt
        return patch(interrupted=number == 2)

    limit = TimeLimit(None, None, 0.0)
    assert [len(found) for found in each_layer([0, 1, 2], limit, patched)[:1]] == [1]
    assert "interrupted before layer 1" in capsys.readouterr().err
    found, interrupted = each_layer([0, 2, 3], limit, patched)
    assert (len(found), interrupted) == (2, True)
