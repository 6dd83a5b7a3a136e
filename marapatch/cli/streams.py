"""stdout and stderr of a command, whatever they are: a closed descriptor, a full disk, a pipe that
nobody reads any more."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from marapatch.errors import InputError


class _Kept:
    """A stream that outlives what it writes to.

    Where nobody reads on, as under ``| head``, what is written goes nowhere and the command ends
    with its own exit code. Where an answer cannot be written (a full disk), that is an error; of
    stderr it is not: there is nobody left to tell.
    """

    def __init__(self, stream: TextIO, *, answers: bool) -> None:
        self._stream = stream
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write ``text`` now; characters that the terminal does not have are escaped."""
        if text == "":  # a full disk refuses even that, and click only tries what it may write
            return 0
        try:
            try:
                written = self._stream.write(text)
            except UnicodeEncodeError as error:
                plain = text.encode(error.encoding, "backslashreplace").decode(error.encoding)
                written = self._stream.write(plain)
            self._stream.flush()
        except OSError as error:
            self._give_up(error)
            return len(text)
        return written

    def flush(self) -> None:
        """Nothing: every write is through."""

    def _give_up(self, error: OSError) -> None:
        with suppress(OSError, ValueError):  # what is still buffered must not fail again at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        if self._answers and error.errno != errno.EPIPE:
            raise InputError(
                f"the answer cannot be written to stdout: {error.strerror}; send it elsewhere"
            ) from error


@contextmanager
def kept_streams() -> Iterator[None]:
    """Within the block, stdout and stderr are there and take what is written."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: else the next file that is opened would be taken for it
            os.open(os.devnull, os.O_RDWR)
    before = sys.stdout, sys.stderr
    out, err = (
        open(os.devnull, "w", encoding="utf-8") if stream is None else stream  # noqa: PTH123, SIM115
        for stream in before
    )
    sys.stdout = cast(TextIO, _Kept(out, answers=True))
    sys.stderr = cast(TextIO, _Kept(err, answers=False))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
