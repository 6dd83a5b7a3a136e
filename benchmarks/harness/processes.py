"""The running of instances, each in a process that is replaced where it dies or overruns.

Every instance becomes exactly one row: ``key`` names it, and ``status`` is ``failed`` where there
is no answer. A timeout is a row, and so is a failure: an exception, a process that died, a process
that did not come to an end. A run that was stopped goes on where it ended.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from benchmarks.harness.rows import Row, Rows, provenance
from marapatch.errors import MarapatchError

GRACE = 120.0
"""Seconds beyond its own limit after which an instance's process is killed."""

FAILURES = (
    MarapatchError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What an instance may raise and still be a row; anything else ends its process."""

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Case(Protocol):
    """An instance as the harness sees it; it is sent to a process of its own, so picklable."""

    @property
    def key(self) -> str:
        """Its name, unique in its file; it holds every setting that changes the answer."""
        ...

    @property
    def timeout(self) -> float:
        """The seconds it may take by its own account."""
        ...

    def about(self) -> Row:
        """What is known of it before it runs: goes into the row of a failure."""
        ...


@dataclass(frozen=True)
class Numbered:
    """The question that is drawn from ``seed``."""

    seed: int
    timeout: float

    @property
    def key(self) -> str:
        """Its name, unique in its file."""
        return str(self.seed)

    def about(self) -> Row:
        """What is known of it before it runs."""
        return {"seed": self.seed}


@dataclass(eq=False)
class _Slot:
    """A process and the instance it works on."""

    process: BaseProcess
    connection: Connection
    case: Case | None = None
    started: float = 0.0
    stop: float = field(default=inf)

    def end(self) -> None:
        """End the process; its solver process ends with it."""
        self.connection.close()
        self.process.join(0.5)
        if self.process.is_alive():
            self.process.kill()
        self.process.join()


def run(
    cases: Iterable[Case],
    work: Callable[[Any], Row],
    rows: Rows,
    *,
    jobs: int = 1,
    report: Callable[[str], None] = print,
) -> int:
    """Work on every case whose key ``rows`` do not have; return how many rows were added.

    ``work``: a function at the top level of a module; it runs in ``jobs`` processes, one thread
    each, that are replaced when they die or overrun. Its row is completed with the key and the time
    it took in all (``wall``). Stopped by hand, what is finished is on the disk.
    """
    done = rows.keys()
    wanted = list(cases)
    left = [case for case in wanted if case.key not in done]
    report(f"{rows.name}: {len(left)} of {len(wanted)} instances to do")
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    provenance()  # now: the code may change while it runs
    slots: list[_Slot] = []
    added = 0
    try:
        while left or any(slot.case is not None for slot in slots):
            while left and len(slots) < jobs:
                slots.append(_start(work))
            for slot in slots:
                if slot.case is None and left:
                    _send(slot, left.pop(0))
            for slot in _ready(slots):
                assert slot.case is not None
                row = rows.append(_receive(slot))
                added += 1
                report(f"[{added}, {len(left)} left] {row['key']}: {_in_words(row)}")
                slot.case = None
                if row.get("died"):
                    slot.end()
                    slots.remove(slot)
    except KeyboardInterrupt:
        report(f"stopped with {len(left)} instances not begun; run it again to go on")
    finally:
        for slot in slots:
            slot.end()
    return added


def _start(work: Callable[[Any], Row]) -> _Slot:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, work))
    process.start()
    there.close()
    return _Slot(process, here)


def _send(slot: _Slot, case: Case) -> None:
    slot.case, slot.started = case, time.monotonic()
    slot.stop = slot.started + case.timeout + GRACE
    try:
        slot.connection.send(case)
    except OSError:
        slot.stop = slot.started  # it is dead: found out at the next look


def _ready(slots: Sequence[_Slot]) -> list[_Slot]:
    """The slots that have answered, died or overrun; waits for the first."""
    busy = [slot for slot in slots if slot.case is not None]
    seconds = max(min(slot.stop for slot in busy) - time.monotonic(), 0.0)
    answered = wait([slot.connection for slot in busy], seconds)
    now = time.monotonic()
    return [slot for slot in busy if slot.connection in answered or now >= slot.stop]


def _receive(slot: _Slot) -> Row:
    case = slot.case
    assert case is not None
    wall = time.monotonic() - slot.started
    row: Row
    try:
        if not slot.connection.poll():
            slot.process.kill()
            row = _failed(f"killed after {wall:.0f} s", died=True)
        else:
            row = slot.connection.recv()
    except (EOFError, OSError):
        slot.process.join(5.0)
        row = _failed(f"its process died with exit code {slot.process.exitcode}", died=True)
    about = case.about() if row["status"] == "failed" else {}
    return {"key": case.key, **about, **row, "wall": wall}


def _serve(connection: Connection, work: Callable[[Any], Row]) -> None:
    """Answer cases until the other end is closed."""
    while True:
        try:
            case = connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            row = work(case)
        except FAILURES as error:
            row = _failed(f"{type(error).__name__}: {error}", died=False)
        except KeyboardInterrupt:
            return
        connection.send(row)


def _failed(error: str, *, died: bool) -> Row:
    return {"status": "failed", "error": " ".join(error.split())[:500], "died": died}


def _in_words(row: Row) -> str:
    if row["status"] == "failed":
        return f"FAILED: {row['error']}"
    return f"{row['status']} in {row['wall']:.1f} s"
