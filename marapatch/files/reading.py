"""Files of other people, opened with care: regular files only, and no larger than there is room.

Every reader of the package opens its file here, so that a pipe cannot hang a command, a folder is
named as such, and nothing is read whole before its size is known.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from marapatch.errors import InputError
from marapatch.files.memory import afford, limit

GZIP = b"\x1f\x8b"
DEFLATE_RATIO = 1040
"""A deflated byte stands for at most 1032: a stream that announces more is cut off, or lies."""

MOST_GROWTH = 100
SMALL_FILE = 64 * 2**20
"""Weights and properties shrink by a factor of 1.1 to 30. What is larger than ``SMALL`` and shrank
by more than ``GROWTH`` is made to fill the memory."""

SHOWN_CHARACTERS = 60
"""Of what a file says, at most so many characters are repeated in a message."""

CHUNK_BYTES = 1 << 20


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """``path`` open for reading bytes. Raises InputError where it is no regular file, or cannot be
    read; what goes wrong within the block is the caller's."""
    try:
        # A pipe that nobody writes to would hang an open; with O_NONBLOCK it does not.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"{path}: cannot be read: {reason}; check the path") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise InputError(f"{path}: cannot be read: it is a folder; name a file in it")
        raise InputError(
            f"{path}: cannot be read: it is a pipe or a device; save its content as a file"
        )
    with os.fdopen(descriptor, "rb") as file:
        yield file


def size_of(file: IO[bytes]) -> int:
    """The size of an open file, in bytes."""
    return os.fstat(file.fileno()).st_size


def read_bytes(path: Path, factor: float = 1.0) -> bytes:
    """The content of ``path``. Raises InputError as :func:`opened`, and where ``factor`` bytes for
    each byte of it, which is what its reader will need, are over the memory limit."""
    with opened(path) as file:
        afford(str(path), int(factor * size_of(file)))
        try:
            return file.read()
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def unpacked(path: Path | str, content: bytes, factor: float = 1.0) -> bytes:
    """``content`` of ``path``, decompressed where it is gzip: in pieces, so that a file that grows
    beyond the memory limit (``factor`` as for :func:`read_bytes`), or as nothing does that is worth
    reading, is refused by then. InputError where it is damaged."""
    if not content.startswith(GZIP):
        return content
    parts: list[bytes] = []
    size = 0
    try:
        packed = io.BytesIO(content)
        with gunzip(packed) as stream:
            while part := stream.read(CHUNK_BYTES):
                size += len(part)
                if factor * size > limit():
                    afford(f"{path}, decompressed,", int(factor * size))
                if size > SMALL_FILE and size > MOST_GROWTH * packed.tell():
                    raise InputError(
                        f"{path}: grows more than {MOST_GROWTH} times when it is decompressed, as "
                        "only zeros do; give the file itself"
                    )
                parts.append(part)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: truncated or damaged: {one_line(error)}") from error
    return b"".join(parts)


def read_text(path: Path, kind: str, factor: float = 8.0) -> str:
    """The text of ``path`` (UTF-8, also gzipped); InputError where it is none. ``kind``: what it
    should be, for the message; ``factor`` as for :func:`read_bytes`."""
    content = unpacked(path, read_bytes(path, factor), factor)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not a text file, so not {kind}") from error


def gunzip(file: IO[bytes]) -> gzip.GzipFile:
    """A gzipped file as a stream, of which no more is decompressed than is read."""
    return gzip.GzipFile(fileobj=file, mode="rb")


def one_line(error: BaseException) -> str:
    """The first line of what ``error`` says, without a full stop."""
    text = str(error).strip()
    return shown(text.splitlines()[0] if text else type(error).__name__, 200).rstrip(".")


def shown(text: object, most: int = SHOWN_CHARACTERS) -> str:
    """``text`` for a message: at most ``most`` characters of it, none of which moves the cursor."""
    start = " ".join(str(text)[: 2 * most].split())
    plain = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in start)
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."
