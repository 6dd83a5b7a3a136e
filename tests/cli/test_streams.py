"""stdout and stderr that are closed, full, or read no more: the exit code is still the answer's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hostile_files import help_files

MARAPATCH = f"{sys.executable} -m marapatch"
COMMANDS = {
    "mark": "mark good.onnx --target 0",
    "attack": "attack good.onnx good.npy --box 0,1",
    "groundtruth": "groundtruth good.onnx good.npy --box 0,1 --out w.npy --json w.json",
    "export": "export good.onnx good.vnnlib out.smt2",
    "version": "--version",
    "help": "--help",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    help_files(tmp_path)
    return tmp_path


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """A line of bash; its exit code is the first command's."""
    environment = {k: v for k, v in os.environ.items() if k != "MARAPATCH_DEBUG"}
    return subprocess.run(
        ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
@pytest.mark.parametrize("where", ["| true", ">&-", "<&- >&- 2>&-", "2> /dev/full"])
def test_nobody_reads_the_answer(folder: Path, command: str, where: str) -> None:
    done = shell(f"{MARAPATCH} {command} {where}")
    assert done.returncode == 0
    assert done.stderr == ""
    if command.startswith("groundtruth"):
        assert Path("w.npy").read_bytes().startswith(b"\x93NUMPY")
        assert Path("w.json").read_text().startswith("{")
    if command.startswith("export"):
        assert Path("out.smt2").read_text().startswith(("(", ";"))


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_full_disk_is_an_error_in_one_line(folder: Path, command: str) -> None:
    done = shell(f"{MARAPATCH} {command} > /dev/full")
    assert done.returncode == 2
    assert done.stderr == (
        "marapatch: error: the answer cannot be written to stdout: No space left on device; "
        "send it elsewhere\n"
    )


def test_an_error_that_cannot_be_written_keeps_its_exit_code(folder: Path) -> None:
    for where in ("2>&-", "2> /dev/full", "2>&1 | true", "> /dev/full 2> /dev/full"):
        done = shell(f"{MARAPATCH} mark gone.onnx --target 0 {where}")
        assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_names_that_are_no_text_are_printed_escaped(folder: Path) -> None:
    name = "\udcff\udcfe.smt2"
    done = subprocess.run(
        [sys.executable, "-m", "marapatch", "export", "good.onnx", "good.vnnlib", name],
        env={**os.environ, "PYTHONUTF8": "0", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == b""
    assert b"variables" in done.stdout
    assert Path(name).exists()


@pytest.mark.parametrize("target", ["--json", "--out"])
def test_a_file_that_cannot_be_written_whole(folder: Path, target: str) -> None:
    """/dev/full takes files until they are written."""
    done = shell(
        f"{MARAPATCH} groundtruth good.onnx good.npy --box 0,1 {target} /dev/full > answer"
    )
    assert done.returncode == 2
    assert (
        done.stderr == "marapatch: error: /dev/full: cannot be written: No space left on device\n"
    )


def test_bytes_on_stdin_are_not_read(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "marapatch", "mark", "/dev/stdin", "--target", "0"],
        input=Random(0).randbytes(2**16),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"marapatch: error: /dev/stdin: cannot be read: it is a pipe")
