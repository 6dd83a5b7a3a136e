"""The catalogue of encodings: complete, readable by machine, and the one in the README."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from inspect import isfunction, signature
from pathlib import Path

import pytest

import marapatch_encodings
from marapatch_encodings.catalogue import COLUMNS, ENCODINGS, catalogue, entries

README = Path(__file__).parents[2] / "encodings" / "README.md"
ONLY_CHOOSES = {"l1_ball"}
"""Public functions that return an encoding built by another one of the catalogue."""


def test_the_readme_holds_the_catalogue() -> None:
    text = README.read_text(encoding="utf-8")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert tables == catalogue().splitlines()


def test_it_can_be_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "marapatch_encodings.catalogue"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == catalogue()


def test_every_public_encoding_is_listed() -> None:
    public = {
        name
        for name in marapatch_encodings.__all__
        if isfunction(value := getattr(marapatch_encodings, name))
        and signature(value).return_annotation == "Encoding"
    }
    assert public - ONLY_CHOOSES == {encoding.__name__ for encoding in ENCODINGS}


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.__name__)
def test_each_entry_is_one_line_without_loose_ends(encoding: Callable[..., object]) -> None:
    known = entries(encoding)
    assert set(known) >= set(COLUMNS)
    for value in known.values():
        assert value == " ".join(value.split())
        assert value.count("``") % 2 == 0
        assert value


def test_a_docstring_without_its_keys_is_refused() -> None:
    def bare() -> None:
        """Encode nothing.

        Formula: ``0``
            and more
        Raises: nothing

        Source: ignored is fine, it still counts.
        """

    with pytest.raises(ValueError, match="bare lacks Cost, Exact"):
        entries(bare)


def test_entries_may_wrap() -> None:
    def wrapped() -> None:
        """Encode.

        Formula: ``a
            or b``
        Cost: 1 row
        Exact: yes
        Source: here

        Not part of the source.
        """

    assert entries(wrapped) == {
        "Formula": "``a or b``",
        "Cost": "1 row",
        "Exact": "yes",
        "Source": "here",
    }
