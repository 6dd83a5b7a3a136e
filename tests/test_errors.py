"""Every error raised on purpose is one of ours, and is what Python calls it too."""

from __future__ import annotations

import inspect

import pytest

from marapatch import errors
from marapatch.cli import main
from marapatch.errors import (
    BackendError,
    ContradictionError,
    InputError,
    MarapatchError,
    ScopeError,
    UnsupportedOperatorError,
)


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        (InputError, ValueError),
        (UnsupportedOperatorError, NotImplementedError),
        (BackendError, RuntimeError),
        (ScopeError, RuntimeError),
        (ContradictionError, RuntimeError),
    ],
)
def test_a_user_may_catch_it_by_either_name(kind: type[Exception], base: type[Exception]) -> None:
    assert issubclass(kind, MarapatchError)
    assert issubclass(kind, base)


def test_there_are_no_others() -> None:
    classes = (kind for _, kind in inspect.getmembers(errors, inspect.isclass))
    found = {kind for kind in classes if kind.__module__ == errors.__name__}
    assert found
    assert all(issubclass(kind, MarapatchError) for kind in found)


def test_the_command_says_an_input_error_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attack", "none.onnx", "none.npy"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
