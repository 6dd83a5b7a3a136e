"""Ctrl-C, SIGTERM, SIGHUP: what is known so far is printed and written, and no process is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import numpy as np
import pytest

from marapatch import load
from marapatch.data.bundled import resolve

pytestmark = pytest.mark.usefixtures("heeded_signals")

TOKEN = "MARAPATCH_TEST_TOKEN"
ENOUGH = 600.0
"""Seconds after which a process that hangs is given up."""

LONG = [
    *("groundtruth", "example:mnist_3x24", "example:seven", "--norm", "l1", "--target", "0"),
    *("--tolerance", "1e-9", "--no-bounds", "--backend", "marabou", "--search", "bisection"),
]
"""A question that takes many minutes this way."""


def left_over(token: str) -> list[str]:
    """The processes that inherited ``token``, by their command lines."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{TOKEN}={token}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it ended meanwhile, or belongs to another user
    return found


@pytest.mark.parametrize(
    ("number", "to_group"),
    [
        (signal.SIGINT, False),
        (signal.SIGINT, True),
        (signal.SIGTERM, False),
        (signal.SIGHUP, False),
    ],
    ids=["Ctrl-C", "Ctrl-C to the process group, as a terminal sends it", "SIGTERM", "SIGHUP"],
)
def test_an_interrupted_search_reports_what_it_knows(
    tmp_path: Path, number: signal.Signals, to_group: bool
) -> None:
    token = uuid.uuid4().hex
    command = [sys.executable, "-m", "marapatch", *LONG, "-v", "--json", "w.json", "--out", "w.npy"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, TOKEN: token},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            assert running.stderr is not None
            line = running.stderr.readline()
            while "queries" not in line or "<= inf" in line:
                line = running.stderr.readline()
                assert line, "it ended before it began to search"
            assert left_over(token)
            (os.killpg if to_group else os.kill)(running.pid, number)
            out, err = running.communicate(timeout=ENOUGH)
        finally:
            running.kill()
    assert running.returncode == 130, err
    assert left_over(token) == []
    assert "Traceback" not in err
    lines = out.splitlines()
    assert lines[0] == "interrupted; what is known so far:"
    assert lines[1].startswith("nearest input decided as 0 instead of 7: L1 distance in [")
    report = json.loads((tmp_path / "w.json").read_text())
    assert report["interrupted"] is True
    assert report["status"] == "open"
    assert report["lower"] <= report["upper"]
    assert np.load(tmp_path / "w.npy").shape == tuple(report["network"]["input_shape"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w.json", "w.npy"]


LARGE = ["groundtruth", "example:mnist_3x24", "example:digits", "--index", "0", "--target", "1"]
"""A tree of many minutes."""


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_several_processes_end_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    token = uuid.uuid4().hex
    with subprocess.Popen(
        [sys.executable, "-m", "marapatch", *LARGE, "--jobs", "2"],
        cwd=tmp_path,
        env={**os.environ, TOKEN: token},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:
        try:
            until = time.monotonic() + ENOUGH
            while sum("multiprocessing" in line for line in left_over(token)) < 3:
                assert time.monotonic() < until, "the search did not start two processes"
                time.sleep(0.1)
            os.kill(running.pid, number)
            running.wait(timeout=ENOUGH)
        finally:
            running.kill()
    until = time.monotonic() + ENOUGH
    while left_over(token) and time.monotonic() < until:
        time.sleep(0.1)
    assert left_over(token) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_signal_to_all_processes_is_reported_by_the_first(
    tmp_path: Path, number: signal.Signals
) -> None:
    """As a closing terminal and a batch queue send it: to the whole process group."""
    token = uuid.uuid4().hex
    with subprocess.Popen(
        [sys.executable, "-m", "marapatch", *LARGE, "--jobs", "2"],
        cwd=tmp_path,
        env={**os.environ, TOKEN: token},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            until = time.monotonic() + ENOUGH
            while sum("multiprocessing" in line for line in left_over(token)) < 3:
                assert time.monotonic() < until, "the search did not start two processes"
                time.sleep(0.1)
            os.killpg(running.pid, number)
            out, err = running.communicate(timeout=ENOUGH)
        finally:
            running.kill()
    assert running.returncode == 130, err
    assert out.startswith("interrupted; what is known so far:")
    assert left_over(token) == []


def test_a_search_under_nohup_goes_on(tmp_path: Path) -> None:
    """A closing terminal tells all its processes, and those that were to ignore it go on."""
    command = [sys.executable, "-m", "marapatch", *LARGE, "--jobs", "2", "--nodes", "3000", "-v"]
    with subprocess.Popen(
        ["nohup", *command, "--json", "w.json"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            assert running.stderr is not None
            while "<= distance <=" not in (line := running.stderr.readline()):
                assert line, "it ended before it began to search"
            os.killpg(running.pid, signal.SIGHUP)
            _, err = running.communicate(timeout=ENOUGH)
        finally:
            running.kill()
    assert running.returncode in (0, 1), err
    assert json.loads((tmp_path / "w.json").read_text())["interrupted"] is False


SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
EACH_SIGNAL = pytest.mark.parametrize("number", SIGNALS, ids=[each.name for each in SIGNALS])


def ended(
    arguments: list[str], folder: Path, number: signal.Signals, sign: str
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command that got a signal once ``sign`` was on stderr; no
    process of its is left."""
    token = uuid.uuid4().hex
    with subprocess.Popen(
        [sys.executable, "-m", "marapatch", *arguments],
        cwd=folder,
        env={**os.environ, TOKEN: token},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            assert running.stderr is not None
            while sign not in (line := running.stderr.readline()):
                assert line, "it ended before it began to search"
            os.kill(running.pid, number)
            out, err = running.communicate(timeout=ENOUGH)
        finally:
            running.kill()
    assert left_over(token) == []
    assert "Traceback" not in err
    return running.returncode, out, err


@EACH_SIGNAL
def test_an_interrupted_patch_reports_what_it_knows(tmp_path: Path, number: signal.Signals) -> None:
    command = ["patch", "example:mnist_3x24", "example:seven", "--want", "3", "--layer", "0"]
    command += ["--search", "bisection", "-v", "--json", "p.json"]
    code, out, err = ended(command, tmp_path, number, "<= patch <=")
    assert code == 130, err
    assert out.startswith("interrupted; what is known so far:")
    report = json.loads((tmp_path / "p.json").read_text())
    assert report["interrupted"] is True
    assert report["status"] == "open"


@EACH_SIGNAL
def test_an_interrupted_patch_attack_keeps_what_is_finished(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = ["patch-attack", "example:mnist_3x24", "example:digits", "-v", "-o", "found"]
    code, out, err = ended([*command, "--timeout", "2"], tmp_path, number, "1 of 10 images")
    assert code == 130, err
    assert out.startswith("interrupted; what is known so far:")
    summary = json.loads((tmp_path / "found" / "summary.json").read_text())
    assert summary["interrupted"] is True
    rows = (tmp_path / "found" / "rows.jsonl").read_text().splitlines()
    assert 1 <= len(rows) < 10


@EACH_SIGNAL
def test_an_interrupted_verification_says_so(tmp_path: Path, number: signal.Signals) -> None:
    network = load(resolve("example:mnist_3x24", "network"))
    seven = np.load(resolve("example:seven", "image")).ravel() / 255.0
    lines = [f"(declare-const X_{i} Real)" for i in range(seven.size)]
    lines += [f"(declare-const Y_{j} Real)" for j in range(network.outputs)]
    for i, value in enumerate(seven.tolist()):
        lines.append(f"(assert (>= X_{i} {max(value - 0.055, 0.0):.6f}))")
        lines.append(f"(assert (<= X_{i} {min(value + 0.055, 1.0):.6f}))")
    lines += [f"(assert (>= Y_0 Y_{j}))" for j in range(1, network.outputs)]
    (tmp_path / "p.vnnlib").write_text("\n".join(lines) + "\n")
    command = ["verify", "example:mnist_3x24", "p.vnnlib", "--counterexample", "c.txt", "-v"]
    code, out, err = ended(command, tmp_path, number, "sub-problems")
    assert code == 130, err
    assert out == "unknown\n"
    assert "interrupted after" in err
    assert (tmp_path / "c.txt").read_text() == "unknown\n"


def test_a_long_mixed_integer_program_is_left_at_once(tmp_path: Path) -> None:
    """HiGHS computes for minutes in one call, in which Python sees no signal."""
    command = ["groundtruth", "example:mnist_3x24", "example:seven", "--target", "0", "-v"]
    command += ["--search", "descent", "--backend", "highs", "--tolerance", "1e-9"]
    code, out, err = ended([*command, "--json", "w.json"], tmp_path, signal.SIGTERM, "queries")
    assert code == 130, err
    assert out.startswith("interrupted; what is known so far:")
    assert json.loads((tmp_path / "w.json").read_text())["interrupted"] is True
