"""Files of other people: opened only where they are files, read only where there is room."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from marapatch.errors import InputError
from marapatch.files.memory import memory_limit
from marapatch.files.reading import one_line, opened, read_bytes, read_text, shown, unpacked


def test_what_is_no_regular_file_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, said in (("", "a folder"), ("pipe", "a pipe"), ("none", "No such file")):
        with pytest.raises(InputError, match=said), opened(tmp_path / name):
            raise AssertionError("it was opened")


def test_more_than_there_is_room_for_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)
    with memory_limit(5000):
        assert read_bytes(path, 5.0) == b"x" * 1000
        with pytest.raises(InputError, match="file"):
            read_bytes(path, 5.1)


def test_gzip_is_unpacked_where_it_is_gzip() -> None:
    packed = gzip.compress(b"some text")
    assert unpacked("a", packed) == b"some text"
    assert unpacked("a", b"some text") == b"some text"
    with pytest.raises(InputError, match="truncated or damaged"):
        unpacked("a", packed[:-9])
    with memory_limit(10_000), pytest.raises(InputError, match="decompressed"):
        unpacked("a", gzip.compress(bytes(100_000)))


def test_text_is_text(tmp_path: Path) -> None:
    path = tmp_path / "goals"
    path.write_bytes("\N{ZERO WIDTH NO-BREAK SPACE}ä".encode())
    assert read_text(path, "a list") == "ä"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="so not a list"):
        read_text(path, "a list")


def test_what_a_file_says_cannot_move_the_cursor() -> None:
    assert shown("two\nlines\x1b[2J") == "two lines\\x1b[2J"
    assert shown("x" * 200) == "x" * 57 + "..."
    assert one_line(ValueError("first.\nsecond")) == "first"
    assert one_line(ValueError()) == "ValueError"
