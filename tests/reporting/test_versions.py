"""Versions beside every answer: of what is installed, and a word for what is not."""

from __future__ import annotations

import platform
from importlib.metadata import version

import pytest

from marapatch.reporting import versions as module
from marapatch.reporting.versions import versions


def test_the_versions_are_those_installed() -> None:
    found = versions()
    assert found["numpy"] == version("numpy")
    assert found["marapatch"] == version("marapatch")
    assert platform.python_version() in found.values()


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGES", ("numpy", "no-such-package"))
    found = versions()
    assert found["no-such-package"] == "not installed"
    assert found["numpy"] == version("numpy")
