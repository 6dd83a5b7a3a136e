"""A worker process spoken to in frames, each exchange with a deadline."""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import BackendError

START_SECONDS = 60.0
"""How long a worker may take to start; it takes 0.15 s where the disk is awake."""

LARGEST_REPLY = 2**31
"""No honest reply has more bytes; a larger announced size is a broken frame."""

SCRIPT = Path(__file__).with_name("worker.py")


class WorkerLostError(Exception):
    """The worker died or answered what is no frame; the message says how.

    ``crashed``: it died of its own fault (a segmentation fault and the like).
    """

    def __init__(self, message: str, *, crashed: bool = False) -> None:
        super().__init__(message)
        self.crashed = crashed


FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT)
"""Signals by which a process dies of its own fault."""


class DeadlineError(Exception):
    """The deadline came before the reply."""


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """One frame from the worker: a code, a message for people, float64 values."""

    code: str
    message: str
    values: NDArray[np.float64]


class Worker:
    """A running worker, in a session of its own; killed with this object, and with the parent.

    On Linux the kernel kills the worker when the *thread* that started it ends, so it may be used
    in that thread only: see :attr:`usable`.
    """

    def __init__(self, memory_bytes: int) -> None:
        """Start the worker and wait until it is ready; BackendError where that fails."""
        arguments = [str(os.getpid()), str(memory_bytes)]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        try:
            # -P: a folder named like a module in the current directory must not get in the way.
            process = subprocess.Popen(
                [sys.executable, "-P", str(SCRIPT), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
                env=os.environ | threads,
            )
        except OSError as error:
            raise BackendError(f"Marabou's process cannot be started: {error}") from error
        self._process = process
        self._thread = threading.current_thread()
        self._creator = os.getpid()
        self._end = weakref.finalize(self, _end, process, self._creator)
        assert process.stdin is not None
        assert process.stdout is not None
        self._requests, self._replies = process.stdin.fileno(), process.stdout.fileno()
        os.set_blocking(self._requests, False)
        os.set_blocking(self._replies, False)
        try:
            ready = self._receive(time.monotonic() + START_SECONDS)
        except (WorkerLostError, DeadlineError) as error:
            self.kill()
            raise BackendError(
                f"Marabou's process did not start ({str(error) or 'no answer'}); try: "
                f"{sys.executable} -c 'from maraboupy import MarabouCore'"
            ) from error
        except BaseException:
            self.kill()
            raise
        if ready.code != "ready":
            self.kill()
            raise BackendError(
                f"Marabou cannot be imported ({ready.message}); install maraboupy==2.0.0 "
                "under Python 3.11"
            )

    @property
    def pid(self) -> int:
        """The worker's process number, which is also its process group."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it is alive and was started by this thread of this process."""
        return (
            self._creator == os.getpid()
            and self._thread is threading.current_thread()
            and self._process.poll() is None
        )

    def exchange(self, request: bytes, deadline: float) -> Reply:
        """Send ``request`` and wait for the reply until ``deadline`` (of ``time.monotonic``).

        Raises :class:`WorkerLostError` or :class:`DeadlineError`; the worker must then be killed.
        """
        self._send(struct.pack("<Q", len(request)) + request, deadline)
        return self._receive(deadline)

    def kill(self) -> None:
        """End the worker's process group and leave no zombie."""
        self._end()

    def _send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            _wait(self._requests, select.POLLOUT, deadline)
            try:
                view = view[os.write(self._requests, view) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._obituary() from None

    def _receive(self, deadline: float) -> Reply:
        text_size, data_size = struct.unpack("<QQ", self._read(16, deadline))
        if text_size + data_size > LARGEST_REPLY or data_size % 8:
            raise WorkerLostError("Marabou's process sent a malformed reply")
        text, data = self._read(text_size, deadline), self._read(data_size, deadline)
        code, newline, message = text.decode(errors="replace").partition("\n")
        if not newline:
            raise WorkerLostError("Marabou's process sent a malformed reply")
        return Reply(code, message, np.frombuffer(data, dtype="<f8").astype(np.float64))

    def _read(self, size: int, deadline: float) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            _wait(self._replies, select.POLLIN, deadline)
            try:
                part = os.read(self._replies, min(size, 2**20))
            except BlockingIOError:
                continue
            if not part:
                raise self._obituary()
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _obituary(self) -> WorkerLostError:
        """What is to be said of a worker that has closed its end and must be about to exit."""
        try:
            code = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return WorkerLostError("Marabou's process closed its pipe")
        if code >= 0:
            return WorkerLostError(f"Marabou's process ended with exit code {code}")
        return WorkerLostError(
            f"Marabou's process was ended by {signal.Signals(-code).name}", crashed=-code in FAULTS
        )


def _wait(descriptor: int, event: int, deadline: float) -> None:
    """Return when ``descriptor`` can be read or written, or its other end is gone."""
    left = deadline - time.monotonic()
    poll = select.poll()
    poll.register(descriptor, event)
    if left <= 0 or not poll.poll(left * 1000.0):
        raise DeadlineError


def _end(process: subprocess.Popen[bytes], creator: int) -> None:
    """Kill and reap ``process``, close its pipes; in a forked copy of the creator only close."""
    if creator == os.getpid():
        if process.poll() is None:  # not reaped: the number is still this process's
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    else:
        process.returncode = 0  # not our child: nothing to wait for
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
