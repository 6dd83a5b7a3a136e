"""The pages of the benchmarks are what the rows give, and the index leads to each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.__main__ import SUITES
from benchmarks.harness.command import Suite
from benchmarks.harness.markdown import PAGES
from benchmarks.harness.rows import RESULTS
from benchmarks.suites import attacks, mutation

INDEX = (PAGES.parent / "README.md").read_text(encoding="utf-8")

NEED_DATA = ("patches-", "patch-attacks-", "verify")
"""Their instances are listed in data sets, or their tables measure inputs of these again."""


def tables() -> dict[str, str]:
    """What stands between marks, by name."""
    marks = re.compile(r"<!-- begin ([\w-]+) -->\n\n(.*?)\n<!-- end \1 -->", re.DOTALL)
    found = [pair for page in PAGES.glob("*.md") for pair in marks.findall(page.read_text())]
    assert len(found) == len(dict(found))
    return dict(found)


@pytest.mark.parametrize(
    "suite", [s for s in SUITES if not s.name.startswith(NEED_DATA)], ids=lambda s: s.name
)
def test_a_page_has_the_table_of_its_rows(suite: Suite) -> None:
    assert tables()[suite.name] == suite.text()


@pytest.mark.parametrize(
    "suite", [s for s in SUITES if s.name.startswith(NEED_DATA)], ids=lambda s: s.name
)
@pytest.mark.needs("acasxu", "aigent", "goldberger", "reassure", "cifar10", "mnist", "mnist_fc")
def test_a_page_has_the_table_of_rows_about_data(suite: Suite, data_dir: Path) -> None:
    del data_dir
    assert tables()[suite.name] == suite.text()


def test_the_other_tables_too() -> None:
    written = tables()
    for name, text in {**attacks.texts(), **mutation.texts()}.items():
        assert written[name] == text


def test_the_index_leads_to_every_page_and_names_every_file_of_rows() -> None:
    linked = set(re.findall(r"\(pages/(\w+)\.md\)", INDEX))
    pages = {page.stem for page in PAGES.glob("*.md")}
    assert linked == {name for name in pages if not name.startswith("attacks_")}
    shown = (PAGES / "attacks.md").read_text(encoding="utf-8")
    assert all(f"({name}.md)" in shown for name in pages - linked)
    for path in RESULTS.glob("*.xz"):
        name = path.name.removesuffix(".jsonl.xz")
        short = re.sub("^patches-|^patch-attacks-", "", name)
        assert name in INDEX or f"-{short}" in INDEX, name
