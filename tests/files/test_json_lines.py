"""Rows of JSON lines survive being killed at any moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from marapatch.errors import InputError
from marapatch.files.json_lines import Store


def test_of_rows_with_one_key_the_last_counts_at_the_first_place(tmp_path: Path) -> None:
    store = Store(tmp_path / "deep" / "rows.jsonl")
    assert store.rows() == []
    for key, value in (("a", 1), ("b", 2), ("a", 3)):
        store.append({"key": key, "value": value})
    assert store.rows() == [{"key": "a", "value": 3}, {"key": "b", "value": 2}]


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_line_that_was_cut_off_anywhere_is_as_if_it_were_not(tmp_path: Path, cut: int) -> None:
    store = Store(tmp_path / "rows.jsonl")
    store.append({"key": "a"})
    whole = store.path.read_bytes()
    store.append({"key": "b", "v": 10})
    store.path.write_bytes(store.path.read_bytes()[: len(whole) + cut])
    assert store.rows() == [{"key": "a"}]
    store.append({"key": "c"})
    assert [row["key"] for row in store.rows()] == ["a", "c"]


@pytest.mark.parametrize("line", ["[1]", "{}", "nonsense", '{"key": ["a"]}', "1"])
def test_what_is_no_row_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"key": "a"}}\n{line}\n')
    with pytest.raises(InputError, match="line 2"):
        Store(path).rows()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_not_written(tmp_path: Path, value: float) -> None:
    store = Store(tmp_path / "rows.jsonl")
    with pytest.raises(ValueError, match="JSON compliant"):
        store.append({"key": "a", "value": value})
    assert store.rows() == []
