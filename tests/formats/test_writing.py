"""A query is written as its suffix says."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from written_queries import QUERIES, feasible

from marapatch.errors import InputError
from marapatch.formats import smtlib, write_query


def test_the_queries_are_of_both_sorts() -> None:
    assert {feasible(query) for query in QUERIES} == {True, False}


@pytest.mark.parametrize("suffix", [".ipq", ".smt2", ".mps", ".lp", ".txt"])
def test_a_query_is_written_by_its_suffix(suffix: str, tmp_path: Path) -> None:
    query, path = QUERIES[0], tmp_path / f"query{suffix}"
    files = write_query(query, path)
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert all(file.stat().st_size > 0 for file in files)
    match suffix:
        case ".smt2":
            assert path.read_text() == smtlib(query)
        case ".txt":
            assert path.read_text() == query.text
        case ".ipq":
            rows = list(csv.DictReader(files[1].read_text().splitlines()))
            assert [r["name"] for r in rows] == list(query.names)


def test_a_query_is_not_written_to_another_suffix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"suffix must be one of \.ipq"):
        write_query(QUERIES[0], tmp_path / "query.json")
    assert not list(tmp_path.iterdir())
