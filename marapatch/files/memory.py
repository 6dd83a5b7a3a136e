"""How much memory the numbers of a file may take: worked out before anything is allocated.

Readers add up what their tensors will need (:func:`afford` for one, :class:`Budget` for many) and
raise a one-line error where that is more than the limit. A file of a few bytes can announce any
size, so the sizes announced are what is judged.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from marapatch.errors import InputError

GIB = 2**30
DEFAULT_LIMIT = 4 * GIB

_limit: ContextVar[int] = ContextVar("memory limit", default=DEFAULT_LIMIT)


@contextmanager
def memory_limit(size: float) -> Iterator[None]:
    """Within the block, files may need up to ``size`` bytes; 4 GiB elsewhere.

    Raises InputError where ``size`` is no positive number.
    """
    token = _limit.set(limit())
    try:
        set_limit(size)
        yield
    finally:
        _limit.reset(token)


def set_limit(size: float) -> None:
    """Let files need up to ``size`` bytes from here on, to the end of the :func:`memory_limit`
    around this. Raises InputError where ``size`` is no positive number."""
    if not (isfinite(size) and size >= 1.0):
        raise InputError(f"the memory limit must be a positive number of bytes, not {size}")
    _limit.set(int(size))


def limit() -> int:
    """The limit that holds here, in bytes."""
    return _limit.get()


def afford(what: str, size: int) -> None:
    """Raise InputError where ``what`` needs more than the limit; ``size`` in bytes."""
    if size > limit():
        raise InputError(
            f"{what} needs {_gib(size)} of memory, the limit is {_gib(limit())}; "
            "--max-memory sets it (in GiB)"
        )


@dataclass
class Budget:
    """What has been spent of the limit on one file, in bytes."""

    spent: int = 0

    def room(self, what: str, size: int) -> None:
        """Raise InputError where ``size`` bytes for ``what`` would be over the limit."""
        if self.spent + size > limit() >= size:
            raise InputError(
                f"{what}: with it the network needs {_gib(self.spent + size)} of memory, the limit "
                f"is {_gib(limit())}; --max-memory sets it (in GiB)"
            )
        afford(what, size)

    def spend(self, what: str, size: int) -> None:
        """Count ``size`` bytes for ``what``; InputError where all together is over the limit."""
        self.room(what, size)
        self.spent += size


@contextmanager
def bounded_allocations() -> Iterator[None]:
    """Within the block, this process can take the limit more than it has now; what asks for more
    gets a MemoryError, or its library's own. For code of others that cannot be asked for sizes
    beforehand; no limit where the system does not tell what a process has."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = pages * resource.getpagesize() + limit()
    wanted = [most, *(bound for bound in (soft, hard) if bound != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_AS, (min(wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _gib(size: int) -> str:
    if size >= 1000 * GIB * GIB:
        return "far too much"
    return f"{size / GIB:.3g} GiB"
