"""Fixtures shared by all tests, and what is said at the end about those that were skipped."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from marapatch.solvers.marabou.backend import MarabouBackend

NEEDS = "needs benchmark data"


@pytest.fixture
def data_dir(request: pytest.FixtureRequest) -> Path:
    """The folder with the real networks and images, as MARAPATCH_DATA names it.

    Skips where the user has none, and where it lacks one of the paths that the test's marker
    ``needs`` names: those that ``marapatch fetch`` does not bring.
    """
    value = os.environ.get("MARAPATCH_DATA")
    if not value:
        pytest.skip(f"{NEEDS}: MARAPATCH_DATA is not set")
    path = Path(value)
    if not path.is_dir():
        pytest.skip(f"{NEEDS}: MARAPATCH_DATA={value} is not a folder")
    for marker in request.node.iter_markers("needs"):
        for needed in marker.args:
            if not (path / needed).exists():
                pytest.skip(f"{NEEDS}: there is no {needed} in MARAPATCH_DATA={value}")
    return path


@pytest.fixture
def heeded_signals() -> Iterator[None]:
    """Signals are as from a terminal, also where these tests run under nohup (SIGHUP is ignored)
    or behind a shell script's ``&`` (SIGINT is), which every process started inherits."""

    def nothing(*_: object) -> None:
        """Whoever started the tests so wants them to go on."""

    heeded = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: nothing,
        signal.SIGHUP: nothing,
    }
    ignored = [number for number in heeded if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, heeded[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="module")
def marabou() -> Iterator[MarabouBackend]:
    """Marabou in a process of its own, one for all tests of a module."""
    from marapatch.solvers.marabou.backend import MarabouBackend

    with MarabouBackend() as backend:
        yield backend


@pytest.fixture
def certified_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, the current one, with the network and the image of certified.py."""
    import numpy as np
    from certified import IMAGE, SMALL

    from marapatch.network.onnx.writer import write_onnx

    monkeypatch.chdir(tmp_path)
    write_onnx(SMALL, tmp_path / "net.onnx")
    np.save(tmp_path / "image.npy", IMAGE)
    return tmp_path


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line on the tests that were skipped for want of data, and where the data is had."""
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and NEEDS in report.longrepr[2]
    ]
    if skipped:
        from marapatch.data.fetch import data_sets  # scipy takes a moment to import

        count = "1 test was" if len(skipped) == 1 else f"{len(skipped)} tests were"
        terminalreporter.write_line(
            f"{count} skipped for want of benchmark data; `marapatch fetch "
            f"{' '.join(data_sets())} --to data` gets most of it, then say: "
            "MARAPATCH_DATA=$PWD/data make test"
        )
