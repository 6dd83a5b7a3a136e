"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real networks and images; skips where the user has none."""
    value = os.environ.get("MARAPATCH_DATA")
    if not value:
        pytest.skip("MARAPATCH_DATA is not set: it names the folder with the benchmark networks")
    path = Path(value)
    if not path.is_dir():
        pytest.skip(f"MARAPATCH_DATA={value} is not a folder")
    return path
