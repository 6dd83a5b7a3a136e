"""Worker processes never outlive their block, and the death of one is an error."""

from __future__ import annotations

import os
import signal
import time

import pytest

from marapatch.errors import BackendError
from marapatch.search.processes import processes


def number() -> int:
    return os.getpid()


def sleep() -> None:
    time.sleep(600.0)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_work_is_done_elsewhere() -> None:
    with processes(2) as pool:
        others = {pool.submit(number).result() for _ in range(4)}
    assert os.getpid() not in others
    assert all(is_gone(process) for process in others)


def test_an_error_in_the_block_ends_what_is_running() -> None:
    started: list[int] = []

    def block() -> None:
        with processes(1) as pool:
            started.append(pool.submit(number).result())
            pool.submit(sleep)
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        block()
    assert is_gone(started[0])


def test_the_death_of_one_is_an_error() -> None:
    with pytest.raises(BackendError, match="died"), processes(1) as pool:
        pool.submit(die).result()
