"""VNN-LIB out, and a property with its network as a query."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import lcm

import numpy as np

from marapatch.arithmetic.rationals import exact_text, nearest
from marapatch.errors import InputError
from marapatch.modelling.conditions import any_of
from marapatch.modelling.expressions import Comparison, Expression
from marapatch.modelling.problem import Problem
from marapatch.network.graph import Network
from marapatch.network.output_transform import OutputTransform
from marapatch.problem.softmax_conditions import ScoreRow, score_rows
from marapatch.problem.specification import Alternative, ExactBox, LinearRow, Property
from marapatch.query.query import Query


def vnnlib_text(specification: Property) -> str:
    """``specification`` as VNN-LIB 1 text; reading it gives the same property, exactly.

    Raises InputError where it holds nowhere, or an alternative of several holds everywhere.
    """
    if not specification.cases:
        raise InputError(
            f"{specification.path}: every case has an empty input box; nothing to write"
        )
    declared = [f"(declare-const X_{i} Real)" for i in range(specification.inputs)]
    declared += [f"(declare-const Y_{j} Real)" for j in range(specification.outputs)]
    choices = [
        [*_box(case.box), *map(_row, rows)]
        for case in specification.cases
        for rows in case.alternatives
    ]
    if len(choices) == 1:
        asserted = [f"(assert {atom})" for atom in choices[0]]
    else:
        if not all(choices):
            raise InputError("an alternative without any condition holds always; nothing to write")
        lines = "\n".join(f"    (and {' '.join(atoms)})" for atoms in choices)
        asserted = [f"(assert (or\n{lines}\n))"]
    return "\n".join([*declared, "", *asserted]) + "\n"


def _box(box: ExactBox) -> Iterator[str]:
    for i, (low, high) in enumerate(zip(box.lower, box.upper, strict=True)):
        if low is not None:
            yield _row(LinearRow({i: Fraction(1)}, {}, low, strict=i in box.open_below))
        if high is not None:
            yield _row(LinearRow({i: Fraction(-1)}, {}, -high, strict=i in box.open_above))


def _row(row: LinearRow) -> str:
    """One comparison, in whole numbers where a number has no end in decimal digits."""
    terms = [(f"X_{i}", c) for i, c in row.inputs.items()]
    terms += [(f"Y_{j}", c) for j, c in row.outputs.items()]
    rest = lcm(*(_unending(c) for c in (row.rhs, *(c for _, c in terms))))
    scaled, rhs = [(name, c * rest) for name, c in terms], row.rhs * rest
    more, less = (">", "<") if row.strict else (">=", "<=")
    if len(scaled) == 1 and scaled[0][1] == -1:
        return f"({less} {scaled[0][0]} {exact_text(-rhs)})"
    if len(scaled) == 2 and rhs == 0 and sorted(c for _, c in scaled) == [-1, 1]:
        (upper,) = (name for name, c in scaled if c == 1)
        (lower,) = (name for name, c in scaled if c == -1)
        return f"({more} {upper} {lower})"
    written = [name if c == 1 else f"(* {exact_text(c)} {name})" for name, c in scaled]
    total = written[0] if len(written) == 1 else f"(+ {' '.join(written)})"
    return f"({more} {total} {exact_text(rhs)})"


def _unending(value: Fraction) -> int:
    """What of a denominator is not made of twos and fives."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest


def property_query(network: Network, specification: Property) -> Query:
    """Is there an input with ``specification``? As one query; its first variables are ``X[0]``, ...

    Several cases become a disjunction over boxes and rows within their hull. Every number is
    rounded to the nearest float64, and strict comparisons become closed ones. Raises InputError
    where the property does not fit the network, an input is unbounded, every case has an empty box,
    or a row over the outputs of Softmax or LogSoftmax is no linear row over the scores.
    """
    given = specification.inputs, specification.outputs
    if given != (network.inputs, network.outputs):
        raise InputError(
            f"{specification.path}: is about {given[0]} inputs and {given[1]} outputs, the network "
            f"has {network.inputs} and {network.outputs}"
        )
    if not specification.cases:
        raise InputError(f"{specification.path}: every case has an empty box; nothing to ask")
    lower = np.minimum.reduce([case.lower for case in specification.cases])
    upper = np.maximum.reduce([case.upper for case in specification.cases])
    problem = Problem()
    x = problem.array("X", specification.inputs, lower, upper)
    y = network.scores(x)
    alternatives: list[list[Comparison]] = []
    for case in specification.cases:
        inside: list[Comparison] = []
        tighter = np.flatnonzero(case.lower > lower), np.flatnonzero(case.upper < upper)
        if tighter[0].size:
            inside.append(x[tighter[0]] >= case.lower[tighter[0]])
        if tighter[1].size:
            inside.append(x[tighter[1]] <= case.upper[tighter[1]])
        for rows in case.alternatives:
            written = _comparisons(network, specification.path, rows, x, y)
            if written is not None:
                alternatives.append([*inside, *written])
    if not alternatives:
        raise InputError(
            f"{specification.path}: holds nowhere, whatever the scores; nothing to ask"
        )
    if len(alternatives) == 1:
        problem.require(alternatives[0])
    elif all(alternatives):
        problem.require(any_of(*alternatives))
    return problem.query


def _comparisons(
    network: Network, path: str, rows: Alternative, x: Expression, y: Expression
) -> list[Comparison] | None:
    """``rows`` over inputs and scores; None where they never hold."""
    found: list[Comparison] = []
    for row in rows:
        try:
            group = score_rows(row, network.output_transform, network.outputs)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        if group is None:
            continue
        if not group:
            return None
        linear = len(group) == 1 and not group[0].weight
        if not linear or not _is_exact(row, group[0], network.output_transform):
            raise InputError(
                f"{path}: a condition on the outputs of {network.output_transform.value} is no "
                "linear condition on scores, so it cannot be written; only orders can"
            )
        found.append(_comparison(group[0], x, y))
    return found


def _is_exact(row: LinearRow, found: ScoreRow, transform: OutputTransform) -> bool:
    """Whether ``found`` has no rounded logarithm in it: an order, or a difference of logarithms."""
    if not row.outputs or transform is OutputTransform.NONE:
        return True
    if transform is OutputTransform.SOFTMAX:
        return found.rhs == 0
    return sum(row.outputs.values()) == 0


def _comparison(row: ScoreRow, x: Expression, y: Expression) -> Comparison:
    parts: list[Expression] = []
    for expression, coefficients in ((x, row.inputs), (y, row.scores)):
        if coefficients:
            matrix = np.zeros((1, expression.size))
            for i, c in coefficients.items():
                matrix[0, i] = nearest(c)
            parts.append(matrix @ expression)
    total = parts[0] if len(parts) == 1 else parts[0] + parts[1]
    return total >= np.full(1, nearest(row.rhs))
