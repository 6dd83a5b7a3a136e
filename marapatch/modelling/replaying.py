"""The only place that makes a :class:`Solution`: claimed values are put through everything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marapatch.modelling.answers import Solution
from marapatch.modelling.conditions import AnyOf, AtMostNonzero
from marapatch.modelling.definitions import Declared, evaluate, size_of
from marapatch.modelling.expressions import Comparison
from marapatch.modelling.model import Model, Requirement
from marapatch.network.layers import Array
from marapatch_encodings.semantics import violation
from marapatch_encodings.terms import Disjunction, Row, dense_row


def replay(
    model: Model, declared: NDArray[np.int64], values: Array, tolerance: float
) -> Solution | None:
    """The solution with these ``values`` of the declared columns, or None where it is none.

    Functions and networks are computed anew, in order; then every condition is checked, with
    sums rounded once, against ``tolerance`` (an amount of ``expression <= 0``); bounds of declared
    variables are to be met without one. Entries within the tolerance of 0 count as 0 where non-zero
    entries are limited, and are set to 0.
    """
    given = np.asarray(values, dtype=np.float64).copy()
    if not np.isfinite(given).all():
        return None
    columns = np.zeros(model.columns)
    columns[declared] = given
    snapped = _snap(model, columns, tolerance)
    for candidate in (snapped, columns) if snapped is not None else (columns,):
        solution = _judge(model, candidate, tolerance)
        if solution is not None:
            return solution
    return None


def _snap(model: Model, columns: Array, tolerance: float) -> Array | None:
    """Declared entries whose number of non-zeros is limited, set to 0 where they all but are."""
    limited = [c.expression for c in model.conditions if isinstance(c, AtMostNonzero)]
    if not limited:
        return None
    snapped = columns.copy()
    for expression in limited:
        matrix = expression.matrix
        single = np.diff(matrix.indptr) == 1
        at = matrix.indices[matrix.indptr[:-1][single]]
        plain = at[expression.constant[single] == 0.0]
        small = plain[np.abs(snapped[plain]) <= tolerance]
        snapped[small] = 0.0
    return snapped


def _judge(model: Model, columns: Array, tolerance: float) -> Solution | None:
    filled = columns.copy()
    worst = 0.0
    named: dict[str, Array] = {}
    for start, definition in model.definitions:
        span = slice(start, start + size_of(definition))
        if isinstance(definition, Declared):
            own = filled[span]
            if ((own < definition.lower) | (own > definition.upper)).any():
                return None
            named[definition.name] = _frozen(own.reshape(definition.shape))
        else:
            filled[span] = evaluate(definition, filled, tolerance)
    for condition in model.conditions:
        worst = max(worst, _miss(condition, filled, tolerance))
        if not worst <= tolerance:
            return None
    return Solution(named, _frozen(filled), worst, tolerance)


def _frozen(values: Array) -> Array:
    copy = values.copy()
    copy.flags.writeable = False
    return copy


def _miss(condition: Requirement, columns: Array, tolerance: float) -> float:
    """By how much a condition is missed: infinite where a limit on non-zeros is exceeded."""
    match condition:
        case Comparison():
            return max((violation(r, columns) for r in rows_of(condition)), default=0.0)
        case AnyOf(cases=cases):
            rows = (tuple(r for c in case for r in rows_of(c)) for case in cases)
            return violation(Disjunction(tuple(rows)), columns)
        case AtMostNonzero(expression=expression, limit=limit):
            values = expression.rows(columns.size) @ columns + expression.constant
            return 0.0 if int((np.abs(values) > tolerance).sum()) <= limit else np.inf


def rows_of(comparison: Comparison) -> list[Row]:
    """The comparison as rows over the problem's own columns."""
    form = comparison.expression
    starts, rows = form.matrix.indptr, []
    for i in range(form.size):
        part = slice(starts[i], starts[i + 1])
        columns, data = form.matrix.indices[part], form.matrix.data[part]
        rows.append(dense_row(columns, data, comparison.sense, -float(form.constant[i])))
    return rows
