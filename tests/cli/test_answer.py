"""The answer on stdout: all of it, or nothing where an error comes between."""

from __future__ import annotations

import pytest

from marapatch.cli.answer import answer


def test_text_comes_whole_and_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with answer() as console:
        console.print("lower 1e-3, [bold]upper[/bold]")
        assert capsys.readouterr().out == ""  # nothing before the end
        console.print("x" * 500)
    assert capsys.readouterr().out == "lower 1e-3, [bold]upper[/bold]\n" + "x" * 500 + "\n"


def test_an_error_leaves_nothing_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        with answer() as console:
            console.print("half of it")
            raise RuntimeError("no answer")

    with pytest.raises(RuntimeError, match="no answer"):
        interrupted()
    assert capsys.readouterr().out == ""
