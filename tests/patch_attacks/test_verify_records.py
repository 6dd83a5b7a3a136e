"""A patch-attack folder that a run goes on from may hold anything: what does not hold is done
again, and what is no row of a patch attack is refused."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import model, node, save

from marapatch.cli import main

WEIGHTS = {
    "W0": np.array([[1.0, -1.0, 0.5], [0.5, 1.0, -1.0]]),
    "b0": np.array([0.0, 0.25, 0.5]),
    "W1": np.array([[1.0, -1.0], [-0.5, 1.0], [1.0, 0.5]]),
    "b1": np.array([0.0, 0.125]),
}
NODES = [
    node("Gemm", ["x", "W0", "b0"], ["z0"]),
    node("Relu", ["z0"], ["a0"]),
    node("Gemm", ["a0", "W1", "b1"], ["y"]),
]
ATTACK = ["patch-attack", "net.onnx", "images.npy", "--box", "0,1", "--minimise", "linf"]
ROWS = Path("out/rows.jsonl")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that found something for both images."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        save(model(NODES, ["batch", 2], WEIGHTS), folder, "net.onnx")
        np.save("images.npy", np.array([[0.75, 0.25], [0.5, 0.125]], np.float32))
        assert main([*ATTACK, "-o", "out"]) == 0
    return folder


@pytest.fixture
def finished(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A copy of that folder; its rows."""
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    rows = read()
    assert [row["status"] for row in rows] == ["found", "found"]
    return rows


def read() -> list[dict[str, Any]]:
    return [json.loads(line) for line in ROWS.read_text().splitlines()]


def write(rows: list[dict[str, Any]]) -> None:
    ROWS.write_text("".join(json.dumps(row) + "\n" for row in rows))


def changed(**content: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda row: {**row, **content}


UNTRUE: dict[str, tuple[Callable[[dict[str, Any]], dict[str, Any]], str]] = {
    "a smaller distance": (changed(linf=1e-6), "its linf is"),
    "fewer values": (changed(l0=0), "its l0 is"),
    "a longer L2": (changed(l2=5.0), "its l2 is"),
    "another decision of the image": (lambda r: {**r, "decision": 1 - r["decision"]}, "is decided"),
    "a label that was not given": (changed(label=0), "asked otherwise"),
    "a target that was not named": (changed(wanted=1), "asked otherwise"),
    "decided as before": (lambda r: {**r, "target": r["decision"]}, "was not asked for"),
    "a class that is not there": (changed(target=9), "class 9 was not asked for"),
    "nothing to do": (
        changed(
            status="already", target=None, l0=None, l1=None, l2=None, linf=None,
            entries=[], values=[],
        ),
        "whether there was anything to do",
    ),
    "an entry that is not there": (changed(entries=[0, 7]), "not entries of the image"),
    "an entry twice": (changed(entries=[1, 1]), "not entries of the image"),
    "outside the box": (changed(values=[0.5, 1.5]), "is not decided"),
    "no number of the network's type": (changed(values=[0.1, 0.7]), "is not decided"),
    "the image itself": (changed(values=[0.75, 0.25]), "is not decided"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), UNTRUE.values(), ids=UNTRUE.keys())
def test_a_row_that_does_not_hold_is_done_again(
    finished: list[dict[str, Any]],
    change: Callable[[dict[str, Any]], dict[str, Any]],
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write([change(finished[0]), finished[1]])
    capsys.readouterr()
    assert main([*ATTACK, "-o", "out"]) == 0
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith("marapatch: out: image 0 is done again: ")
    assert reason in line
    rows = read()
    assert len(rows) == 3  # the row that did not hold is replaced by a later one
    again = {**rows[2], "seconds": 0, "stages": []}
    assert again == {**finished[0], "seconds": 0, "stages": []}
    kept = json.loads(Path("out/summary.json").read_text())["measures"]
    assert kept["linf"]["largest"] == max(row["linf"] for row in finished)


def test_rows_that_hold_are_kept(
    finished: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main([*ATTACK, "-o", "out"]) == 0
    assert capsys.readouterr().err == ""
    assert read() == finished


NO_ROWS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "NaN": changed(linf=float("nan")),
    "infinity": changed(l1=float("inf")),
    "NaN among the values": changed(values=[float("nan"), 0.5]),
    "words": changed(l1="near"),
    "a truth value": changed(l0=True),
    "a negative distance": changed(l2=-1.0),
    "a number of 400 digits": changed(l1=10**400),
    "fewer values than entries": changed(values=[0.5]),
    "a status of its own": changed(status="proved"),
    "found without an input": changed(target=None),
    "a field of its own": changed(proof="yes"),
    "no entries": lambda r: {k: v for k, v in r.items() if k != "entries"},
    "the key of another": changed(key="7"),
    "stages of words": changed(stages=["patch"]),
    "a list": lambda r: [r],
    "a number": lambda r: 3,
}


@pytest.mark.parametrize("change", NO_ROWS.values(), ids=NO_ROWS.keys())
def test_what_is_no_row_is_refused(
    finished: list[dict[str, Any]],
    change: Callable[[dict[str, Any]], Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    write([change(finished[0]), finished[1]])
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    capsys.readouterr()
    assert main([*ATTACK, "-o", "out"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("marapatch: error: out/rows.jsonl")
    assert printed.err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before


@pytest.mark.parametrize("content", ["[" * 100_000, "{" + '"a":{' * 50_000, "9" * 5000, "\0\0"])
@pytest.mark.parametrize("name", ["rows.jsonl", "run.json"])
def test_json_that_cannot_be_read(
    finished: list[dict[str, Any]], name: str, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (Path("out") / name).write_text(content + "\n")
    capsys.readouterr()
    assert main([*ATTACK, "-o", "out"]) == 2
    error = capsys.readouterr().err
    assert name in error or "holds a run in which" in error
    assert error.count("\n") == 1
    assert len(error) < 500


def test_whatever_a_row_says_its_line_of_the_csv_has_its_columns(
    finished: list[dict[str, Any]],
) -> None:
    """Rows that hold may say anything in words: separators, quotes and line breaks are escaped."""
    said = 'no, "not"\n;this\r\tone'
    write([{**finished[0], "reason": said}, finished[1]])
    assert main([*ATTACK, "-o", "out"]) == 0
    with Path("out/results.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["reason"] for line in lines] == [said, finished[1]["reason"]]
    assert all(None not in line for line in lines)
