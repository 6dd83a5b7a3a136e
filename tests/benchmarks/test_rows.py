"""Rows of benchmarks: what was measured is kept, compressed or not, whenever a run is killed."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from benchmarks.harness.rows import Rows, pack_all
from marapatch.errors import InputError


def lines(path: Path) -> list[str]:
    return [json.loads(line)["key"] for line in path.read_text().splitlines()]


def test_a_row_says_what_made_it(tmp_path: Path) -> None:
    rows = Rows("suite", tmp_path)
    rows.append({"key": "a", "seconds": 1.5})
    (row,) = rows.all()
    assert row["seconds"] == 1.5
    assert len(row["source"]) == 16
    assert {"python", "marapatch", "maraboupy", "load"} <= row.keys()


def test_packed_and_added_rows_are_read_together(tmp_path: Path) -> None:
    rows = Rows("suite", tmp_path)
    rows.append({"key": "a", "value": 1})
    rows.append({"key": "b", "value": 1})
    rows.pack()
    assert not rows.added.path.exists()
    rows.append({"key": "c", "value": 1})
    rows.append({"key": "a", "value": 2})
    assert [(row["key"], row["value"]) for row in rows.all()] == [("a", 2), ("b", 1), ("c", 1)]
    assert lines(rows.added.path) == ["c", "a"]


def test_packing_changes_no_row(tmp_path: Path) -> None:
    rows = Rows("suite", tmp_path)
    for k in range(40):
        rows.append({"key": str(k % 30), "value": k})
    before = rows.all()
    assert pack_all(tmp_path) == ["suite"]
    assert rows.all() == before
    assert pack_all(tmp_path) == []


def test_killed_between_the_two_steps_of_packing_nothing_changes(tmp_path: Path) -> None:
    rows = Rows("suite", tmp_path)
    rows.append({"key": "a", "value": 1})
    added = rows.added.path.read_bytes()
    rows.pack()
    before = rows.all()
    rows.added.path.write_bytes(added)  # it was not deleted yet
    assert rows.all() == before


def test_a_line_that_was_cut_off_is_forgotten(tmp_path: Path) -> None:
    rows = Rows("suite", tmp_path)
    rows.append({"key": "a"})
    with rows.added.path.open("a") as file:
        file.write('{"key": "b", "va')
    assert rows.keys() == {"a"}
    rows.append({"key": "c"})
    assert rows.keys() == {"a", "c"}


def test_rows_can_be_forgotten_wherever_they_are(tmp_path: Path) -> None:
    rows = Rows("suite", tmp_path)
    rows.append({"key": "a", "status": "failed"})
    rows.append({"key": "b", "status": "closed"})
    rows.pack()
    rows.append({"key": "c", "status": "failed"})
    rows.forget(lambda row: row["status"] == "failed")
    assert rows.keys() == {"b"}


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    rows = Rows("suite", tmp_path)
    rows.packed.write_bytes(lzma.compress(b'{"key": "a"}\n[1]\n'))
    with pytest.raises(InputError, match=r"suite\.jsonl\.xz, line 2"):
        rows.all()
