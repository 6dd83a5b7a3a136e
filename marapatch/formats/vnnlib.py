"""VNN-LIB out, and a property with its network as a query."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

import numpy as np

from marapatch.errors import InputError
from marapatch.modelling.conditions import any_of
from marapatch.modelling.expressions import Comparison
from marapatch.modelling.problem import Problem
from marapatch.network.network import Network
from marapatch.properties import OutputCondition
from marapatch.query import Query
from marapatch.vnnlib import Case, Property


def vnnlib(specification: Property) -> str:
    """``specification`` as VNN-LIB 1 text; reading it gives the same property.

    Every number is written with as many digits as it takes to read the same float64 again.
    """
    declared = [f"(declare-const X_{i} Real)" for i in range(specification.inputs)]
    declared += [f"(declare-const Y_{j} Real)" for j in range(specification.outputs)]
    choices = [
        [*_box(case), *_rows(condition)]
        for case in specification.cases
        for condition in case.conditions
    ]
    if len(choices) == 1:
        asserted = [f"(assert {atom})" for atom in choices[0]]
    else:
        if not all(choices):
            raise InputError("an alternative without any condition holds always; nothing to write")
        lines = "\n".join(f"    (and {' '.join(atoms)})" for atoms in choices)
        asserted = [f"(assert (or\n{lines}\n))"]
    return "\n".join([*declared, "", *asserted]) + "\n"


def _box(case: Case) -> Iterator[str]:
    for i, (low, high) in enumerate(zip(case.lower.tolist(), case.upper.tolist(), strict=True)):
        if isfinite(low):
            yield f"(>= X_{i} {_number(low)})"
        if isfinite(high):
            yield f"(<= X_{i} {_number(high)})"


def _rows(condition: OutputCondition) -> Iterator[str]:
    for row, rhs in zip(condition.matrix, condition.rhs.tolist(), strict=True):
        used = np.flatnonzero(row)
        if used.size == 2 and rhs == 0.0 and sorted(row[used]) == [-1.0, 1.0]:
            more, less = int(np.argmax(row)), int(np.argmin(row))
            yield f"(>= Y_{more} Y_{less})"
            continue
        if not used.size:
            raise InputError("an output condition without outputs cannot be written as VNN-LIB")
        terms = [f"Y_{j}" if row[j] == 1.0 else f"(* {_number(row[j])} Y_{j})" for j in used]
        total = terms[0] if len(terms) == 1 else f"(+ {' '.join(terms)})"
        yield f"(>= {total} {_number(rhs)})"


def _number(value: float) -> str:
    return np.format_float_positional(np.float64(value), unique=True, trim="0")


def property_query(network: Network, specification: Property) -> Query:
    """Is there an input with ``specification``? As one query; its first variables are ``X[0]``, ...

    Several cases become a disjunction over boxes and output conditions within their hull. Raises
    InputError where the property does not fit the network, or an input is unbounded.
    """
    given = specification.inputs, specification.outputs
    if given != (network.inputs, network.outputs):
        raise InputError(
            f"{specification.path}: is about {given[0]} inputs and {given[1]} outputs, the network "
            f"has {network.inputs} and {network.outputs}"
        )
    lower = np.minimum.reduce([case.lower for case in specification.cases])
    upper = np.maximum.reduce([case.upper for case in specification.cases])
    problem = Problem()
    x = problem.array("X", specification.inputs, lower, upper)
    y = network(x)
    alternatives: list[list[Comparison]] = []
    for case in specification.cases:
        inside: list[Comparison] = []
        tighter = np.flatnonzero(case.lower > lower), np.flatnonzero(case.upper < upper)
        if tighter[0].size:
            inside.append(x[tighter[0]] >= case.lower[tighter[0]])
        if tighter[1].size:
            inside.append(x[tighter[1]] <= case.upper[tighter[1]])
        for condition in case.conditions:
            rows = [condition.matrix @ y >= condition.rhs] if condition.rhs.size else []
            alternatives.append([*inside, *rows])
    if len(alternatives) == 1:
        problem.require(alternatives[0])
    elif all(alternatives):
        problem.require(any_of(*alternatives))
    return problem.query
