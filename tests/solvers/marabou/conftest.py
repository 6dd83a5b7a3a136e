"""Marabou, for the tests of its backend, process and worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from marapatch.solvers.marabou.backend import MarabouBackend


@pytest.fixture
def backend() -> Iterator[MarabouBackend]:
    with MarabouBackend() as made:
        yield made
