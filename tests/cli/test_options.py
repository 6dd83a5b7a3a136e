"""Options that the commands share: limits of time, and what is left of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marapatch.cli import main
from marapatch.cli import options as cli_options
from marapatch.cli.options import TimeLimit
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
