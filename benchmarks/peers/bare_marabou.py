"""Marabou as maraboupy gives it: a query put to it as it stands, nothing rewritten or doubted.

Every constraint by Marabou's own (ReLU, absolute value, maximum, disjunction), default options but
for silence and time. A process of its own, because a query may crash it.
"""

from __future__ import annotations

import multiprocessing
import os
from math import isfinite
from multiprocessing.connection import Connection
from typing import Any, Self, assert_never

import numpy as np

from marapatch.query.query import Query
from marapatch_encodings import worst_violation
from marapatch_encodings.terms import Abs, Disjunction, Max, Relu, Row

GRACE = 5.0
"""Seconds beyond its time after which the process is killed."""


class BareMarabou:
    """Answers queries one after the other; its process is replaced where it dies."""

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there,), daemon=True)
        self._process.start()
        there.close()

    def _end(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.join()

    def ask(self, query: Query, seconds: float) -> tuple[str, float | None]:
        """Marabou's word, ``crashed`` or ``late``; and for ``sat`` by how much its values miss the
        query at most."""
        self._connection.send((query, seconds))
        try:
            if not self._connection.poll(seconds + GRACE):
                word, values = "late", None
            else:
                word, values = self._connection.recv()
        except (EOFError, OSError):
            word, values = "crashed", None
        if word in ("late", "crashed"):
            self._end()
            self._start()
        if values is None:
            return word, None
        if not np.isfinite(values).all():
            return word, None
        outside = np.maximum(query.lower - values, values - query.upper).max(initial=0.0)
        return word, max(float(outside), worst_violation(query.constraints, values))


def _serve(connection: Connection) -> None:
    from maraboupy import MarabouCore as core  # noqa: N813, PLC0415  # only in the child

    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(null, stream)
    while True:
        try:
            query, seconds = connection.recv()
        except EOFError:
            return
        options = core.Options()
        options._verbosity, options._timeoutInSeconds = 0, max(1, int(seconds))
        try:
            word, found, _ = core.solve(_built(core, query), options, "")
        except (RuntimeError, ValueError, TypeError, IndexError):  # all that pybind11 raises
            connection.send(("exception", None))
            continue
        word = word.lower()
        size = len(query.names)
        values = np.array([found.get(i, np.nan) for i in range(size)]) if word == "sat" else None
        connection.send((word, values))


def _built(core: Any, query: Query) -> Any:
    asked = core.InputQuery()
    asked.setNumberOfVariables(len(query.names))
    for i, (low, high) in enumerate(zip(query.lower.tolist(), query.upper.tolist(), strict=True)):
        if isfinite(low):
            asked.setLowerBound(i, low)
        if isfinite(high):
            asked.setUpperBound(i, high)
    for constraint in query.constraints:
        match constraint:
            case Row():
                asked.addEquation(_equation(core, constraint))
            case Relu(input=x, output=y):
                core.addReluConstraint(asked, x, y)
            case Abs(input=x, output=y):
                core.addAbsConstraint(asked, x, y)
            case Max(inputs=xs, output=y):
                core.addMaxConstraint(asked, set(map(int, xs)), y)
            case Disjunction(cases=cases):
                rows = [[_equation(core, row) for row in case] for case in cases]
                core.addDisjunctionConstraint(asked, rows)
            case _:
                assert_never(constraint)
    return asked


def _equation(core: Any, row: Row) -> Any:
    kinds = {"=": core.Equation.EQ, "<=": core.Equation.LE, ">=": core.Equation.GE}
    equation = core.Equation(kinds[row.sense])
    for variable, coefficient in zip(
        row.variables.tolist(), row.coefficients.tolist(), strict=True
    ):
        equation.addAddend(coefficient, variable)
    equation.setScalar(row.rhs)
    return equation
