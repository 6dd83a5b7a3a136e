"""What the pages show is there: commands and their options, files and folders, programs."""

from __future__ import annotations

import ast
import re
import runpy
import shlex
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROOTS = (ROOT, ROOT / "marapatch", ROOT / "tests", ROOT / "docs", ROOT / "encodings")


def blocks(page: Path, kind: str) -> list[str]:
    return [code for found, code in BLOCK.findall(page.read_text()) if found == kind]


def options_of(command: str) -> set[str]:
    """The options of a command, from the reference, which another test keeps up to date."""
    text = (ROOT / "docs" / "reference" / "cli.md").read_text()
    sections = dict(re.findall(r"^## marapatch ([\w-]+)$(.*?)(?=^## |\Z)", text, re.M | re.S))
    assert command in sections, f"marapatch {command} is no command"
    return {*re.findall(r"`(--?[\w-]+)`", sections[command]), "--help"}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_and_options_are_there(page: Path) -> None:
    for code in blocks(page, "sh"):
        for line in re.findall(
            r'\bmarapatch [a-z](?:"[^"\n]*"|[^"|>&;\n])*', code.replace("\\\n", " ")
        ):
            if line.split()[1].isupper() or "COMMAND" in line:
                continue
            _, command, *words = shlex.split(line, comments=True)
            given = {word for word in words if re.match(r"--?[a-z]", word)}
            assert given <= options_of(command), line


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_files_that_are_named_are_there(page: Path) -> None:
    named = re.findall(r"`([\w/.-]+(?:\.py|\.md|\.toml|/))`", page.read_text())
    own = {"build/site/"}
    missing = [name for name in named if "/" in name and name not in own]
    missing = [name for name in missing if not any((root / name).exists() for root in ROOTS)]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_programs_compile_and_import_what_is_there(page: Path) -> None:
    for code in blocks(page, "python"):
        if page.parent.name == "reference" and not code.startswith("import "):
            continue  # signatures
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("marapatch"):
                module = import_module(node.module or "")
                assert all(hasattr(module, alias.name) for alias in node.names), code
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                renamed = "modelling as mp" in code
                if node.value.id == "mp" and not renamed:
                    assert hasattr(import_module("marapatch"), node.attr), node.attr


def test_a_block_is_run_with_what_it_printed() -> None:
    run = runpy.run_path(str(ROOT / "docs" / "run_pages.py"))
    text = (
        "a\n\n```sh\necho 1\n```\n\n```text\n1\n```\n\n<!-- not run: slow -->\n```sh\nrm x\n```\n"
    )
    (block,) = run["blocks"](text)
    assert (block.kind, block.code, block.shown) == ("sh", "echo 1\n", "1\n")
    assert text[slice(*block.span)] == "1\n"
