"""The one place that makes HiGHS instances, so that none of them writes to standard output.

highspy 1.16 prints a banner from its first constructor, before any option can be set; another
version may print more or less. Standard output belongs to the answer.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import highspy

from marapatch.errors import BackendError

STDOUT = 1
"""The file descriptor that C code writes to, whatever ``sys.stdout`` is."""


class _FirstInstance:
    """Whether this process has made an instance. The lock keeps two threads from being in the
    block at once: the second would save the null device as standard output, and put it back."""

    lock = threading.Lock()
    made = False


def new_highs() -> Any:
    """A HiGHS instance of default options but for its log, which is off.

    Before the first one of a process another is made while file descriptor 1 leads nowhere: a
    thread that prints in that moment (half a millisecond) loses what it prints. Raises
    :class:`BackendError` where HiGHS does not know how to be silent.
    """
    if not _FirstInstance.made:
        with _FirstInstance.lock:
            if not _FirstInstance.made:  # by a thread that held the lock before
                with _stdout_to_nowhere():
                    highspy.Highs()  # type: ignore[no-untyped-call]  # highspy is untyped
                _FirstInstance.made = True
    instance: Any = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy is untyped
    if instance.setOptionValue("output_flag", False) != highspy.HighsStatus.kOk:
        raise BackendError("HiGHS refuses the option output_flag = False; install highspy>=1.7")
    return instance


def run_highs(instance: Any) -> Any:
    """Run an instance and give HiGHS's status.

    Its threads belong to the process: an instance that asks for another number of them than the
    first that ran, perhaps somebody else's, fails. Then they are made anew.
    """
    status = instance.run()
    if status == highspy.HighsStatus.kError:
        highspy.Highs.resetGlobalScheduler(True)
        status = instance.run()
    return status


@contextmanager
def _stdout_to_nowhere() -> Iterator[None]:
    """File descriptor 1 is the null device inside the block; where it is closed, it stays so."""
    try:
        kept = os.dup(STDOUT)
    except OSError:
        yield
        return
    try:
        # What C code has printed and still holds in its buffer was printed before the block, and
        # must be written before the descriptor changes; what the block prints, before it is back.
        _flush_c_buffers()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, STDOUT)
        finally:
            os.close(nowhere)
        try:
            yield
        finally:
            _flush_c_buffers()
            os.dup2(kept, STDOUT)
    finally:
        os.close(kept)


def _flush_c_buffers() -> None:
    ctypes.CDLL(None).fflush(None)
