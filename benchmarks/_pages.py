"""The pages of results: tables that commands write between marks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from marapatch.errors import InputError


def write(path: Path, texts: Mapping[str, str]) -> None:
    """Put each text between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``, in the page of the
    folder that has these marks, or in the file.

    What is written outside the marks stays. Raises InputError where a mark is missing.
    """
    pages = sorted(path.glob("*.md")) if path.is_dir() else [path]
    documents = {page: page.read_text(encoding="utf-8") for page in pages}
    for name, text in texts.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        page = next((page for page in pages if begin in documents[page]), None)
        head, _, rest = ("", "", "") if page is None else documents[page].partition(begin)
        _, closed, tail = rest.partition(end)
        if page is None or not closed:
            raise InputError(f"{path}: no {begin.strip()} followed by {end}; add the two lines")
        documents[page] = f"{head}{begin}\n{text}\n{end}{tail}"
    for page, document in documents.items():
        page.write_text(document, encoding="utf-8")
