"""Every instance of a benchmark becomes one row, whatever becomes of its process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from benchmarks.harness.processes import Numbered, run
from benchmarks.harness.rows import Row, Rows

CRASHES, RAISES = 1, 2


def work(case: Numbered) -> Row:
    if case.seed == CRASHES:
        os.kill(os.getpid(), signal.SIGKILL)
    if case.seed == RAISES:
        raise ValueError("no\nsuch thing")
    return {"status": "done", "square": case.seed**2}


def test_every_instance_becomes_one_row(tmp_path: Path) -> None:
    rows = Rows("suite", tmp_path)
    cases = [Numbered(seed, 60.0) for seed in range(4)]
    said: list[str] = []
    assert run(cases, work, rows, jobs=2, report=said.append) == 4
    found = {row["key"]: row for row in rows.all()}
    assert {key: found[key].get("square") for key in found} == {
        "0": 0,
        "1": None,
        "2": None,
        "3": 9,
    }
    assert found["1"]["status"] == found["2"]["status"] == "failed"
    assert found["1"]["died"]
    assert not found["2"]["died"]
    assert found["2"]["error"] == "ValueError: no such thing"
    assert found["1"]["seed"] == CRASHES  # what is known of an instance before it runs
    assert all(row["wall"] >= 0.0 and row["source"] for row in found.values())


def test_what_is_known_is_not_asked_again(tmp_path: Path) -> None:
    rows = Rows("suite", tmp_path)
    for seed in (0, CRASHES, RAISES):
        rows.append({"key": str(seed), "status": "done"})
    rows.pack()
    said: list[str] = []
    cases = [Numbered(seed, 60.0) for seed in range(4)]
    assert run(cases, work, rows, report=said.append) == 1
    assert said[0] == "suite: 1 of 4 instances to do"
    assert [row["key"] for row in rows.all()] == ["0", "1", "2", "3"]
