"""In which direction each column of a problem matters.

A convex function that is only bounded from above (or minimised) may be replaced by any value that
is at least the function's: linear rows instead of ReLUs. An error here could make solutions fail
their replay, never an ``unsat`` wrong, because such a replacement only enlarges the set.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntFlag
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from marapatch.modelling.conditions import AnyOf, AtMostNonzero
from marapatch.modelling.definitions import (
    Declared,
    Definition,
    LeakyOf,
    MaximumOf,
    ReluOf,
    size_of,
)
from marapatch.modelling.expressions import Comparison, Expression

Flags = NDArray[np.int8]


class Polarity(IntFlag):
    """Whether a column matters, and from which side."""

    UNUSED = 0
    CONVEX = 1
    """A larger value never helps: it stands on the small side of comparisons."""
    CONCAVE = 2
    """A smaller value never helps."""
    BOTH = 3


def polarity(
    definitions: Sequence[tuple[int, Definition]],
    conditions: Sequence[Comparison | AnyOf | AtMostNonzero],
    objective: Expression | None,
    columns: int,
) -> Flags:
    """The :class:`Polarity` of every column, from conditions and a minimised objective."""
    flags = np.zeros(columns, np.int8)
    for condition in conditions:
        match condition:
            case Comparison():
                _compare(flags, condition)
            case AnyOf(cases=cases):
                for case in cases:
                    for comparison in case:
                        _compare(flags, comparison)
            case AtMostNonzero(expression=expression):
                _mark(flags, expression, Polarity.BOTH)
            case _:
                assert_never(condition)
    if objective is not None:
        _mark(flags, objective, Polarity.CONVEX)
    for start, definition in reversed(definitions):
        if not isinstance(definition, Declared):
            _pass_on(flags, definition, flags[start : start + size_of(definition)])
    return flags


def _compare(flags: Flags, comparison: Comparison) -> None:
    side = {"<=": Polarity.CONVEX, ">=": Polarity.CONCAVE, "=": Polarity.BOTH}[comparison.sense]
    _mark(flags, comparison.expression, side)


def _mark(flags: Flags, expression: Expression, side: Polarity) -> None:
    """Every column of ``expression``: ``side``, or its opposite where the coefficient is < 0."""
    data, columns = expression.matrix.data, expression.matrix.indices
    opposite = {1: 2, 2: 1}.get(int(side), int(side))
    np.bitwise_or.at(flags, columns[data > 0.0], np.int8(side))
    np.bitwise_or.at(flags, columns[data < 0.0], np.int8(opposite))


def _pass_on(flags: Flags, definition: Definition, own: Flags) -> None:
    """What the use of a definition's columns means for its inputs."""
    assert not isinstance(definition, Declared)
    inputs = definition.inputs
    rising = isinstance(definition, ReluOf | MaximumOf) or (
        isinstance(definition, LeakyOf) and definition.slope >= 0.0
    )
    if not rising:
        per_entry = own.size == inputs.size
        used = np.flatnonzero(own) if per_entry else np.arange(inputs.size if own.any() else 0)
        _mark(flags, inputs._take(used), Polarity.BOTH)
        return
    width = inputs.size // max(own.size, 1)
    for side in (Polarity.CONVEX, Polarity.CONCAVE):
        chosen = np.flatnonzero(np.repeat((own & side) != 0, width))
        if chosen.size:
            _mark(flags, inputs._take(chosen), side)
