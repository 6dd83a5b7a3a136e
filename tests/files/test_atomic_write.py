"""Outputs are written whole or not at all, and that they can be is known beforehand."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from marapatch.errors import InputError
from marapatch.files.atomic_write import check_distinct, check_writable, write_whole


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "out.npy"
    path.write_bytes(b"old")
    check_writable(path)
    assert path.read_bytes() == b"old"
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["out.npy"]


def test_checking_leaves_no_file(tmp_path: Path) -> None:
    check_writable(tmp_path / "out.npy")
    assert names(tmp_path) == []


def test_a_write_that_fails_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.npy"
    path.write_bytes(b"old")

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["out.npy"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_whole(tmp_path / "link", b"content")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"content"


def test_a_pipe_is_written_to_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    check_writable(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    write_whole(path, b"content")
    reader.join()
    assert read == [b"content"]
    assert path.is_fifo()


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path, "it is a folder"),
        (tmp_path / "none" / "out.npy", "there is no folder"),
        (Path("/proc/out.npy"), "cannot be written"),
        (tmp_path / ("x" * 300), "cannot be written"),
        (tmp_path / "a\0b", "cannot be written"),
    ):
        with pytest.raises(InputError, match=message):
            check_writable(path)


def test_outputs_and_inputs_are_distinct(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "sub" / ".." / "a"
    (tmp_path / "sub").mkdir()
    check_distinct([a, tmp_path / "c", Path("/dev/null"), Path("/dev/null")], [tmp_path / "d"])
    with pytest.raises(InputError, match="would be overwritten"):
        check_distinct([a, b], [])
    with pytest.raises(InputError, match="would be overwritten"):
        check_distinct([a], [b])
