"""A query in the form ``_marabou_worker.build`` reads, with variables numbered as Marabou needs.

maraboupy 2.0.0 renumbers variables while preprocessing and, where an input has a higher number
than its output, can swap the two ends of a ReLU or absolute value: wrong ``unsat`` of a query with
room to spare. Reproduced: x0 = x1 = 0 fixed, f = relu(b), b = u0 + u1, u0 + 2 u1 <= -1,
2 u0 + u1 <= -1, numbered x0, f, b, u0, u1. So inputs are numbered before outputs here.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marapatch.query import Query
from marapatch_encodings.terms import Abs, Disjunction, Max, Relu, Row

Numbers = NDArray[np.int64]
"""Marabou's number of each variable of the query."""


def request_of(query: Query, options: dict[str, Any]) -> tuple[dict[str, Any], Numbers]:
    """The request for ``query`` and Marabou's numbers of its variables.

    Every input of a Relu, Abs or Max has a smaller number than the output. Where constraints make
    a cycle, the output is a copy with the highest number, tied to the variable by two rows.
    """
    place = numbering(query)
    lower, upper = np.empty(place.size), np.empty(place.size)
    lower[place], upper[place] = query.lower, query.upper
    rows = [_row(r, place) for r in query.rows]
    bounds: list[tuple[float, float]] = []

    def after(inputs: Iterable[int], output: int) -> int:
        """The number of ``output``, or of a fresh copy of it where an input comes after it."""
        number = int(place[output])
        if max(inputs) < number:
            return number
        copy = place.size + len(bounds)
        bounds.append((float(query.lower[output]), float(query.upper[output])))
        tie = np.array([number, copy]), np.array([1.0, -1.0])
        rows.extend((sense, *tie, 0.0) for sense in ("<=", ">="))  # an "=" would merge them
        return copy

    request: dict[str, Any] = {"options": options, "relu": [], "abs": [], "max": [], "or": []}
    for constraint in query.piecewise:
        match constraint:
            case Relu() | Abs():
                kind = "relu" if isinstance(constraint, Relu) else "abs"
                source = int(place[constraint.input])
                request[kind].append((source, after([source], constraint.output)))
            case Max():
                sources = sorted(place[list(constraint.inputs)].tolist())
                request["max"].append((sources, after(sources, constraint.output)))
            case Disjunction():
                cases = [[_row(r, place) for r in case] for case in constraint.cases]
                request["or"].append(cases)
    request["rows"] = rows
    request["lower"] = np.concatenate([lower, [low for low, _ in bounds]])
    request["upper"] = np.concatenate([upper, [high for _, high in bounds]])
    return request, place


def numbering(query: Query) -> Numbers:
    """A numbering with inputs of Relu, Abs and Max before outputs, else as the query has them.

    Where constraints make a cycle it is broken at the variable with the smallest number.
    """
    followers: dict[int, list[int]] = {}
    waiting = np.zeros(len(query.names), dtype=np.int64)
    for constraint in query.piecewise:
        if isinstance(constraint, Disjunction):
            continue
        inputs = constraint.inputs if isinstance(constraint, Max) else (constraint.input,)
        for x in inputs:
            followers.setdefault(x, []).append(constraint.output)
            waiting[constraint.output] += 1
    ready = np.flatnonzero(waiting == 0).tolist()
    left = np.flatnonzero(waiting > 0).tolist()  # ascending; looked at again where a cycle blocks
    place = np.full(len(query.names), -1, dtype=np.int64)
    for number in range(place.size):
        if not ready:
            left = [v for v in left if place[v] < 0]
            ready = [left[0]]
        variable = heapq.heappop(ready)
        place[variable] = number
        for output in followers.get(variable, ()):
            waiting[output] -= 1
            if waiting[output] == 0 and place[output] < 0:
                heapq.heappush(ready, output)
    return place


def _row(row: Row, place: Numbers) -> tuple[str, Numbers, NDArray[np.float64], float]:
    return row.sense, place[row.variables], row.coefficients, row.rhs
