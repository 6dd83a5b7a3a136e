"""Queries and processes for the tests of what can go wrong with Marabou."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from marapatch.query.query import Query
from marapatch.solvers.base import Candidate, Infeasible
from marapatch.solvers.marabou.backend import MarabouBackend
from marapatch_encodings import Constraint, Relu, VariablePool, dense_row, row

# Seconds that nothing here comes near, however busy the machine is.
TIMEOUT = 600.0
LEISURE = 600.0
"""Seconds within which things that take a moment have certainly happened."""

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


def relu_query(least: float, low: float = -1.0, high: float = 1.0) -> Query:
    """y = relu(x) >= least over x in [low, high]."""
    pool = VariablePool()
    x, y = pool.fresh("x", low, high), pool.fresh("y")
    return Query.of(pool, [Relu(x, y), row({y: 1.0}, ">=", least)])


YES, NO = relu_query(0.5), relu_query(1.5)


def hard_query(inputs: int = 784, width: int = 40, depth: int = 3) -> Query:
    """A random network over a wide box, asked for a tenth of what interval bounds allow.

    Marabou's symbolic bounds exclude three tenths of it at once; a fiftieth it looks for in vain.
    """
    rng = np.random.default_rng(0)
    pool = VariablePool()
    last = pool.fresh_many("u", -np.ones(inputs), np.ones(inputs))
    low, high = -np.ones(inputs), np.ones(inputs)
    constraints: list[Constraint] = []
    for k in range(depth):
        weights = rng.normal(size=(width, low.size)) / np.sqrt(low.size)
        middle, half = weights @ (low + high) / 2, abs(weights) @ (high - low) / 2
        zs = pool.fresh_many(f"z{k}", middle - half, middle + half)
        fs = pool.fresh_many(f"f{k}", np.zeros(width), np.maximum(middle + half, 1.0))
        for z, f, w in zip(zs, fs, weights, strict=True):
            constraints += [dense_row([*last, z], np.append(w, -1.0), "=", 0.0), Relu(z, f)]
        low, high, last = np.zeros(width), np.maximum(middle + half, 0.0), fs
    weights = rng.normal(size=width) / np.sqrt(width)
    reach = np.maximum(weights, 0.0) @ high
    constraints.append(dense_row(last, weights, ">=", 0.1 * reach))
    return Query.of(pool, constraints)


def is_gone(pid: int) -> bool:
    """Whether the process has ended (a zombie whose parent is not ours counts)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return text.rpartition(")")[2].split()[0] == "Z"


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + LEISURE
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def worker_of(backend: MarabouBackend) -> int:
    assert backend.worker_pid is not None
    return backend.worker_pid


def assert_works(backend: MarabouBackend) -> None:
    assert isinstance(backend.solve(YES, TIMEOUT), Candidate)
    assert backend.solve(NO, TIMEOUT) == Infeasible()


def during(action: Callable[[], object], seconds: float = 0.5) -> threading.Timer:
    timer = threading.Timer(seconds, action)
    timer.start()
    return timer
