"""Worker processes that never outlive their parent."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait

from marapatch.errors import BackendError


@contextmanager
def processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of ``jobs`` processes, started afresh; they are killed where the block ends with an
    error or an interrupt, and end by themselves where the parent dies.

    Raises :class:`BackendError` where one of them dies.
    """
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_follow_parent)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise BackendError(
            "a search process died (out of memory?); where this is called from a script, "
            'guard it with `if __name__ == "__main__":`, or use one job'
        ) from error
    except BaseException:
        for process in (pool._processes or {}).values():  # no public way
            process.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _follow_parent() -> None:
    """Leave interrupts to the parent, and end when it is gone: else this process would wait for
    work for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
