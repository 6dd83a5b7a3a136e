"""What the commands share about time: limits, signals, and a sign of life."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from marapatch.cli import heartbeat, main
from marapatch.cli import options as cli_options
from marapatch.cli.heartbeat import Heartbeat
from marapatch.cli.options import TimeLimit
from marapatch.cli.signals import ending
from marapatch.errors import InputError
from marapatch.network.graph import dense_network
from marapatch.network.onnx.writer import write_onnx


def test_the_first_question_s_time_begins_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_options, "monotonic", lambda: 130.0)
    assert TimeLimit(5.0, None, 100.0).of(0) == (5.0, 100.0)
    assert TimeLimit(5.0, None, 100.0).of(1) == (5.0, None)
    assert TimeLimit(None, None, 100.0).of(3) == (None, None)


def test_no_question_gets_more_than_is_left_of_the_whole_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 110.0
    monkeypatch.setattr(cli_options, "monotonic", lambda: now)
    limit = TimeLimit(8.0, 15.0, 100.0)
    assert limit.of(0) == (8.0, 100.0)
    assert limit.of(1) == (5.0, None)
    assert not limit.over
    now = 116.0
    assert limit.over
    assert TimeLimit(None, 15.0, 100.0).first == 15.0
    assert not TimeLimit(8.0, None, 100.0).over


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_limits_that_are_no_time_are_refused(seconds: float) -> None:
    with pytest.raises(InputError, match="--timeout must be a positive number"):
        TimeLimit(seconds, None, 0.0)
    with pytest.raises(InputError, match="--total-timeout must be a positive number"):
        TimeLimit(None, seconds, 0.0)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    rng = np.random.default_rng(1)
    network = dense_network(
        [rng.normal(size=(6, 3)), rng.normal(size=(2, 6))], [np.zeros(6), np.zeros(2)]
    )
    write_onnx(network, tmp_path / "net.onnx")
    np.save(tmp_path / "x.npy", np.full((4, 3), 0.5))
    return str(tmp_path / "net.onnx"), str(tmp_path / "x.npy")


def test_layers_that_there_is_no_time_for_are_named(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "one.npy", np.full(3, 0.5))
    network, image = files[0], str(tmp_path / "one.npy")
    command = ["patch", network, image, "--avoid", "0", "--layer", "all", "--scale", "1"]
    command = [*command, "--total-timeout", "1e-6"]
    assert main(command) == 1
    said = capsys.readouterr()
    assert "out of time before layer 1, as --total-timeout says" in said.err
    assert "layer 0 " in said.out


def test_images_that_there_is_no_time_for_are_counted(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["patch-attack", *files, "--box", "0,1", "--scale", "1", "--total-timeout", "1e-6"]
    assert main(command) == 1
    assert "out of time before 3 images, as --total-timeout says" in capsys.readouterr().err


@pytest.mark.usefixtures("heeded_signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_once(number: signal.Signals) -> None:
    handler = signal.getsignal(number)
    reported = False
    with ending():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)  # what is known is being written
        reported = True
    assert reported
    assert signal.getsignal(number) == handler


def test_a_signal_that_is_ignored_from_the_start_stays_ignored() -> None:
    """As under nohup."""
    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, handler)


def test_other_threads_leave_signals_alone() -> None:
    seen: list[object] = []

    def watched() -> None:
        with ending():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=watched)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


def test_there_is_a_line_though_nobody_tells_any(capsys: pytest.CaptureFixture[str]) -> None:
    said = threading.Event()
    count = 0

    def text() -> str:
        nonlocal count
        count += 1
        if count == 3:
            said.set()
        return f"line {count}"

    with Heartbeat(text, shown=True, silence=1e-3):
        assert said.wait(60.0)
    assert capsys.readouterr().err.startswith("line 1\nline 2\nline 3\n")


def test_lines_are_not_told_too_often(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 50.0
    monkeypatch.setattr(heartbeat, "monotonic", lambda: now)
    with Heartbeat(lambda: f"at {now:.0f}", shown=True, silence=60.0) as lines:
        for now in (50.0, 51.0, 56.0, 57.0):  # noqa: B007
            lines.tell()
        lines.tell(always=True)
    with Heartbeat(lambda: "nothing", shown=False, silence=1e-3) as lines:
        lines.tell()
    assert capsys.readouterr().err.splitlines() == ["at 50", "at 56", "at 57"]
