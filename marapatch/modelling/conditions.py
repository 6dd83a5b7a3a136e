"""Conditions a problem can require: comparisons, alternatives, and limits on non-zero entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from marapatch.errors import InputError
from marapatch.modelling.expressions import Comparison, Expression

MAX_COMBINATIONS = 10_000
"""More alternatives than this, after nested ones are multiplied out, are refused."""


@dataclass(frozen=True, eq=False)
class AllOf:
    """Every one of ``parts`` holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, eq=False)
class AnyOf:
    """At least one of ``cases`` holds; a case is a conjunction of comparisons."""

    cases: tuple[tuple[Comparison, ...], ...]


@dataclass(frozen=True, eq=False)
class AtMostNonzero:
    """At most ``limit`` entries of ``expression`` differ from 0."""

    expression: Expression
    limit: int


Condition = Comparison | AllOf | AnyOf | AtMostNonzero


def all_of(*conditions: Condition | Iterable[Condition]) -> AllOf:
    """Every one of ``conditions``."""
    return AllOf(tuple(_flat(conditions)))


def any_of(*conditions: Condition | Iterable[Condition]) -> AnyOf:
    """At least one of ``conditions``; a list among them means all of its members.

    A comparison of arrays means all of its entries. Nested alternatives are multiplied out.
    Raises InputError where there is nothing to choose from, or a limit on non-zero entries is
    among them.
    """
    if not conditions:
        raise InputError("any_of(): there is no alternative, so it cannot hold")
    cases: list[tuple[Comparison, ...]] = []
    for condition in conditions:
        cases += _cases(condition if isinstance(condition, _KINDS) else all_of(condition))
    return AnyOf(tuple(cases))


def at_most_k_nonzero(expression: Expression, k: int) -> AtMostNonzero:
    """At most ``k`` entries of ``expression`` differ from 0 (by more than the tolerance)."""
    if not isinstance(expression, Expression):
        raise InputError(f"at_most_k_nonzero: {type(expression).__name__} is no expression")
    if k < 0:
        raise InputError(f"at_most_k_nonzero({expression.describe()}, {k}): k must be at least 0")
    return AtMostNonzero(expression.ravel(), k)


def _flat(conditions: Sequence[Condition | Iterable[Condition]]) -> Iterable[Condition]:
    for condition in conditions:
        if isinstance(condition, _KINDS):
            yield condition
        elif isinstance(condition, Iterable) and not isinstance(condition, str | Expression):
            yield from _flat(tuple(condition))
        else:
            raise InputError(
                f"{condition!r} is no condition; write a comparison such as x <= 1, any_of(...) "
                "or at_most_k_nonzero(...)"
            )


def _cases(condition: Condition) -> list[tuple[Comparison, ...]]:
    match condition:
        case Comparison():
            return [(condition,)]
        case AnyOf():
            return list(condition.cases)
        case AllOf():
            parts = [_cases(part) for part in condition.parts]
            if prod(map(len, parts)) > MAX_COMBINATIONS:
                raise InputError(
                    f"any_of: more than {MAX_COMBINATIONS} alternatives; state them apart"
                )
            return [tuple(c for part in choice for c in part) for choice in product(*parts)]
        case AtMostNonzero():
            raise InputError(
                f"at_most_k_nonzero({condition.expression.describe()}, {condition.limit}) cannot "
                "be an alternative of any_of; require it by itself"
            )


_KINDS = (Comparison, AllOf, AnyOf, AtMostNonzero)


def flatten(conditions: Iterable[Condition]) -> list[Comparison | AnyOf | AtMostNonzero]:
    """All conditions, conjunctions taken apart."""
    found: list[Comparison | AnyOf | AtMostNonzero] = []
    for condition in _flat(tuple(conditions)):
        if isinstance(condition, AllOf):
            found += flatten(condition.parts)
        else:
            found.append(condition)
    return found
