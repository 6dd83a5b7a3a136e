"""The generated pages of docs/reference are those that the commands and docstrings give today, and
no page points to a file or a section that is not there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATOR = ROOT / "docs" / "generate_reference.py"
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])


@pytest.mark.parametrize("page", ["cli.md", "api.md"])
def test_the_reference_is_up_to_date(page: str) -> None:
    made = runpy.run_path(str(GENERATOR))["PAGES"][page]()
    kept = (ROOT / "docs" / "reference" / page).read_text()
    assert kept == made, "say: python docs/generate_reference.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_what_docstrings_cite_is_a_section() -> None:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    sections = set(re.findall(r"^#{2,3} (\d+(?:\.\d+)?)\.? ", text, re.MULTILINE))
    cited: dict[str, str] = {}
    for path in (ROOT / "marapatch").rglob("*.py"):
        for numbers in re.findall(r"ARCHITECTURE: ([\d., ]+\d)", path.read_text()):
            cited |= dict.fromkeys(re.findall(r"\d+(?:\.\d+)?", numbers), str(path))
    assert len(cited) >= 5
    assert {number: path for number, path in cited.items() if number not in sections} == {}
