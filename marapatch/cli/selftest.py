"""Does what marapatch leans on work on this machine? The checks behind ``marapatch doctor``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import numpy as np

from marapatch.data.bundled import examples
from marapatch.errors import BackendError, MarapatchError
from marapatch.network.load import load
from marapatch.network.onnx.session import OnnxSession
from marapatch.query.query import Query
from marapatch.solvers.base import Answer, Backend, Candidate, Infeasible, Undecided
from marapatch_encodings.terms import Relu, VariablePool, row

SELFTEST_SECONDS = 20.0
"""The time a backend has for a query of two variables."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried: its ``name``, whether it is as it should be, and what was seen."""

    name: str
    good: bool
    detail: str


def relu_query(least: float) -> Query:
    """Is there x in [-1, 2] with ``relu(x) >= least``? Feasible exactly where ``least <= 2``."""
    pool = VariablePool()
    x = pool.fresh("x", -1.0, 2.0)
    y = pool.fresh("y", 0.0, 4.0)
    return Query.of(pool, [Relu(x, y), row({y: 1.0}, ">=", least)])


def diagnose(backends: dict[str, Callable[[], Backend]]) -> Iterator[Check]:
    """Ask every backend a feasible and an infeasible query; one check a query.

    A backend that cannot be started is a failed check, not an error.
    """
    for name, make in backends.items():
        try:
            backend = make()
        except (BackendError, ImportError) as error:
            yield Check(f"{name}: start", False, str(error))
            continue
        try:
            for least, expected in ((1.5, "sat"), (2.5, "unsat")):
                yield _asked(backend, least, expected)
        finally:
            backend.close()


def check_example() -> Check:
    """Read the bundled network and compare it with onnxruntime on the bundled image."""
    name = "network: example"
    path, picture = examples("network").get("mnist_3x24"), examples("image").get("seven")
    if path is None or picture is None:
        return Check(name, False, "the bundled files are missing: install marapatch again")
    try:
        network = load(path)
        image = (np.load(picture) / 255.0).astype(network.input_dtype)
    except (MarapatchError, OSError) as error:
        return Check(name, False, str(error))
    outputs = network.evaluate(image)[0]
    session = OnnxSession.of(Path(path).read_bytes())
    expected = session.outputs(image.reshape(network.input_shape))
    if expected is None:
        return Check(name, False, f"onnxruntime does not run it: {session.reason}")
    difference = float(np.abs(outputs - expected.astype(np.float64)).max())
    decided = int(np.argmax(outputs))
    detail = f"decides {decided}, differs from onnxruntime by {difference:.1g}"
    return Check(name, decided == 7 and difference < 1e-4, detail)


def _asked(backend: Backend, least: float, expected: str) -> Check:
    started = time.monotonic()
    try:
        answer: Answer = backend.solve(relu_query(least), SELFTEST_SECONDS)
    except BackendError as error:
        return Check(f"{backend.name}: {expected} query", False, str(error))
    seconds = f"{time.monotonic() - started:.2f} s"
    match answer:
        case Candidate(assignment=assignment):
            x, y = assignment.tolist()
            fits = abs(max(x, 0.0) - y) < 1e-6 and y > least - 1e-6 and -1.0 <= x <= 2.0 + 1e-6
            good = expected == "sat" and fits
            detail = f"sat, x = {x:.6g}, relu(x) = {y:.6g}, {seconds}"
        case Infeasible():
            good, detail = expected == "unsat", f"unsat, {seconds}"
        case Undecided(reason=reason):
            good, detail = False, f"{reason}, {seconds}"
        case _:
            assert_never(answer)
    return Check(f"{backend.name}: {expected} query", good, detail)
