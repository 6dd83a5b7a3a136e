"""Tables go between their marks, on the page that has these, and change nothing else."""

from __future__ import annotations

from math import isnan
from pathlib import Path

import pytest

from benchmarks.harness.markdown import footer, geometric_mean, table, write
from marapatch.errors import InputError


def test_a_table_goes_onto_the_page_with_its_marks(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A\n\n<!-- begin one -->\n<!-- end one -->\nlearned\n")
    (tmp_path / "b.md").write_text("# B\n<!-- begin two -->\nold\n<!-- end two -->\n")
    write({"two": "new\n"}, tmp_path)
    assert (tmp_path / "a.md").read_text() == (
        "# A\n\n<!-- begin one -->\n<!-- end one -->\nlearned\n"
    )
    assert (tmp_path / "b.md").read_text() == (
        "# B\n<!-- begin two -->\n\nnew\n\n<!-- end two -->\n"
    )


@pytest.mark.parametrize("page", ["", "<!-- begin one -->\n", "<!-- end one -->\n"])
def test_without_marks_it_is_refused(tmp_path: Path, page: str) -> None:
    (tmp_path / "a.md").write_text(page)
    with pytest.raises(InputError, match="begin one"):
        write({"one": "text"}, tmp_path)
    assert (tmp_path / "a.md").read_text() == page


def test_a_table_is_aligned() -> None:
    assert table(("name", "n"), [("a", 1), ("b", 22)]) == (
        "| name | n |\n| --- | ---: |\n| a | 1 |\n| b | 22 |\n"
    )


def test_the_geometric_mean() -> None:
    assert geometric_mean([1.0, 4.0, 16.0]) == pytest.approx(4.0)
    assert isnan(geometric_mean([]))


def test_the_footer_says_how_much_is_there_and_who_made_it() -> None:
    made = {"marapatch": "1", "load": 2.0}
    rows = [
        {**made, "source": "aa", "status": "closed"},
        {**made, "source": "bb", "status": "open"},
        {**made, "source": "bb", "status": "failed"},
    ]
    text = footer(rows, 5)
    assert text.startswith("n = 3 of 5; failed 1; a partial table")
    assert "marapatch 1 (aa): 1 rows, 1 closed; marapatch 1 (bb): 2 rows, 0 closed." in text
    assert "not one run of one program" in text
