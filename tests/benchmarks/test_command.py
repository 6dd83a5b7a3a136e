"""The command line of the suites: what is run, forgotten, listed and shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.harness.command import Suite, main_of, main_of_several, parser_of, parser_of_several
from benchmarks.harness.processes import Numbered
from benchmarks.harness.rows import Row, Rows


def work(case: Numbered) -> Row:
    return {"status": "done", "timeout": case.timeout}


def report(rows: Sequence[Row], expected: int) -> str:
    return f"{[row['key'] for row in rows]} of {expected}"


def numbered() -> list[Numbered]:
    return [Numbered(seed, 9.0) for seed in range(3)]


SUITE = Suite("squares", "three numbers", numbered, work, report)


def test_a_suite_runs_and_shows_its_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = parser_of("doc").parse_args(["--limit", "2", "--results", str(tmp_path)])
    assert main_of(SUITE, options) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "['0', '1'] of 3"
    assert main_of(SUITE, options, wrong=lambda row: row["key"] == "1") == 1


def test_rows_of_other_instances_are_of_an_open_ended_suite_only(tmp_path: Path) -> None:
    rows = Rows("squares", tmp_path)
    for key in ("7", "1", "0"):
        rows.append({"key": key, "status": "done"})
    assert SUITE.text(tmp_path) == "['0', '1'] of 3"
    endless = Suite("squares", "", numbered, work, report, open_ended=True)
    assert endless.text(tmp_path) == "['7', '1', '0'] of 3"


def test_rows_that_no_longer_count_are_made_again(tmp_path: Path) -> None:
    rows = Rows("squares", tmp_path)
    rows.append({"key": "0", "status": "done", "stale": True})
    rows.append({"key": "1", "status": "failed", "error": "no"})
    rows.append({"key": "2", "status": "done", "stale": False})
    suite = Suite("squares", "", numbered, work, report, fresh=lambda row: not row.get("stale"))
    options = parser_of("doc").parse_args(["--results", str(tmp_path), "--again"])
    assert main_of(suite, options) == 0
    found = {row["key"]: row for row in rows.all()}
    assert [found[key].get("timeout") for key in ("0", "1", "2")] == [9.0, 9.0, None]


def test_one_of_several_suites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suites = {"one": SUITE, "two": Suite("two", "none", list, work, report)}
    parser = parser_of_several("doc", suites)
    folder = ["--results", str(tmp_path)]
    assert main_of_several(suites, parser.parse_args(folder)) == 2
    chosen = parser.parse_args([*folder, "--suite", "one", "--timeout", "5"])
    assert main_of_several(suites, chosen) == 0
    assert {row["timeout"] for row in Rows("squares", tmp_path).all()} == {5.0}
    capsys.readouterr()
    assert main_of_several(suites, parser.parse_args([*folder, "--list"])) == 0
    assert capsys.readouterr().out.splitlines() == [
        "one          3 of   3 done: three numbers",
        "two          0 of   0 done: none",
    ]
    assert main_of_several(suites, parser.parse_args([*folder, "--report"])) == 0
    assert capsys.readouterr().out.splitlines() == [
        *("### squares", "", "['0', '1', '2'] of 3", "### two", "", "[] of 0"),
    ]
