"""Conditions on the outputs of a network: who wins, by how much, and any linear condition.

Class i *leads* class j by ``y_i - y_j`` under the rule ``argmax`` and by ``y_j - y_i`` under
``argmin``. Every condition is closed: it asks a lead of at least ``margin - relaxation``, so a tie
meets it at margin 0. ``margin`` is what the caller demands; ``relaxation`` is what is given away
on purpose so that a solver's ``unsat`` stays right in spite of its tolerances. With
``relaxation > 0`` the condition is one-sided: it lets in more points than demanded.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marapatch_encodings.intervals import round_down
from marapatch_encodings.terms import Disjunction, Encoding, Row, Variable, dense_row, row

Rule = Literal["argmax", "argmin"]
"""Whether the largest or the smallest output decides."""


def beats(
    outputs: Sequence[Variable],
    target: int,
    rule: Rule = "argmax",
    margin: float = 0.0,
    relaxation: float = 0.0,
) -> Encoding:
    """Require that class ``target`` leads every other class by ``margin - relaxation``.

    Formula: ``y_t - y_j >= margin - relaxation for all j != t``
    Cost: n - 1 rows
    Exact: yes; over-approximates where relaxation > 0
    Source: definition of the decision
    Raises: ValueError where the target is not a class, the rule is not known, or ``margin`` or
        ``relaxation`` is negative or not finite.
    """
    return each_beats(outputs, (target,), rule, margin, relaxation)


def each_beats(
    outputs: Sequence[Variable],
    targets: Collection[int],
    rule: Rule = "argmax",
    margin: float = 0.0,
    relaxation: float = 0.0,
) -> Encoding:
    """Require that every class of ``targets`` leads every class outside ``targets``.

    Formula: ``y_t - y_j >= margin - relaxation for all t in T, j not in T``
    Cost: t*(n - t) rows
    Exact: yes; over-approximates where relaxation > 0
    Source: definition of the decision
    Raises: ValueError as :func:`beats`, and where ``targets`` is empty or holds every class.
    """
    cases = _leads_of_each(outputs, targets, rule, margin, relaxation)
    return Encoding(None, tuple(lead for case in cases for lead in case))


def one_beats(
    outputs: Sequence[Variable],
    targets: Collection[int],
    rule: Rule = "argmax",
    margin: float = 0.0,
    relaxation: float = 0.0,
) -> Encoding:
    """Require that some class of ``targets`` leads every class outside ``targets``.

    This is what "the decision is one of ``targets``" means. A single target gives plain rows.

    Formula: ``for some t in T: y_t - y_j >= margin - relaxation for all j not in T``
    Cost: 1 disjunction; t cases of n - t rows each
    Exact: yes; over-approximates where relaxation > 0
    Source: definition of the decision
    Raises: ValueError as :func:`beats`, and where ``targets`` is empty or holds every class.
    """
    return _either(_leads_of_each(outputs, targets, rule, margin, relaxation))


def untargeted(
    outputs: Sequence[Variable],
    label: int,
    rule: Rule = "argmax",
    margin: float = 0.0,
    relaxation: float = 0.0,
) -> Encoding:
    """Require that some other class leads class ``label``. Two classes give a plain row.

    Formula: ``for some j != label: y_j - y_label >= margin - relaxation``
    Cost: 1 disjunction; n - 1 cases of 1 row each
    Exact: yes; over-approximates where relaxation > 0
    Source: definition of the decision
    Raises: ValueError as :func:`beats`, and where there is no other class.
    """
    others = [j for j in range(len(outputs)) if j != label]
    lead = _lead(rule, margin, relaxation)
    _check_classes(outputs, {label})
    return _either([(_lead_row(outputs, j, label, rule, lead),) for j in others])


def linear_condition(outputs: Sequence[Variable], matrix: ArrayLike, rhs: ArrayLike) -> Encoding:
    """Require ``C y >= d`` for ``matrix`` C and ``rhs`` d.

    ``matrix`` has shape (rows, outputs), ``rhs`` has shape (rows,).

    A row of zeros stays a row, without variables: it says ``0 >= d``.

    Formula: ``C y >= d``
    Cost: m rows
    Exact: yes
    Source: definition
    Raises: ValueError where the shapes do not match or an entry is not finite.
    """
    C: NDArray[np.float64] = np.asarray(matrix, dtype=np.float64)
    d: NDArray[np.float64] = np.asarray(rhs, dtype=np.float64)
    if C.ndim != 2 or C.shape[1] != len(outputs) or d.shape != C.shape[:1]:
        raise ValueError(
            f"a condition on {len(outputs)} outputs needs a matrix (rows, {len(outputs)}) and "
            f"one right-hand side a row, not shapes {C.shape} and {d.shape}"
        )
    return Encoding(
        None,
        tuple(dense_row(outputs, c, ">=", float(b)) for c, b in zip(C, d, strict=True)),
    )


def any_of(conditions: Sequence[Encoding]) -> Encoding:
    """Require at least one of several conditions, each a conjunction of rows.

    One condition alone is returned as it is.

    Formula: ``condition_1 or ... or condition_n``
    Cost: 1 disjunction; n cases
    Exact: yes
    Source: Marabou's own constraint (Wu et al., "Marabou 2.0", CAV 2024, section 2)
    Raises: ValueError where there is no condition, or one is not rows only.
    """
    cases = []
    for condition in conditions:
        rows = tuple(c for c in condition.constraints if isinstance(c, Row))
        if condition.value is not None or len(rows) != len(condition.constraints):
            raise ValueError("an alternative must be a condition made of rows only")
        cases.append(rows)
    return _either(cases)


def _either(cases: Sequence[tuple[Row, ...]]) -> Encoding:
    if not cases:
        raise ValueError("there is no alternative to choose from: the condition cannot hold")
    if len(cases) == 1:
        return Encoding(None, cases[0])
    return Encoding(None, (Disjunction(tuple(cases)),))


def _leads_of_each(
    outputs: Sequence[Variable],
    targets: Collection[int],
    rule: Rule,
    margin: float,
    relaxation: float,
) -> list[tuple[Row, ...]]:
    """For each target in increasing order, its leads over all classes outside ``targets``."""
    chosen = sorted(set(targets))
    lead = _lead(rule, margin, relaxation)
    _check_classes(outputs, chosen)
    rivals = [j for j in range(len(outputs)) if j not in chosen]
    if not chosen or not rivals:
        raise ValueError(
            f"{len(chosen)} of {len(outputs)} classes are targets; at least one must be a target "
            "and at least one must not"
        )
    return [tuple(_lead_row(outputs, t, j, rule, lead) for j in rivals) for t in chosen]


def _lead(rule: Rule, margin: float, relaxation: float) -> float:
    """``margin - relaxation``, rounded towards the weaker condition."""
    if rule not in ("argmax", "argmin"):
        raise ValueError(f"no rule {rule!r}; choose 'argmax' or 'argmin'")
    for name, value in (("margin", margin), ("relaxation", relaxation)):
        if not (isfinite(value) and value >= 0.0):
            raise ValueError(f"the {name} must be finite and at least 0, not {value}")
    return round_down(Fraction(margin) - Fraction(relaxation))


def _check_classes(outputs: Sequence[Variable], classes: Collection[int]) -> None:
    for i in classes:
        if not 0 <= i < len(outputs):
            raise ValueError(f"class {i} does not exist; the classes are 0 to {len(outputs) - 1}")


def _lead_row(outputs: Sequence[Variable], winner: int, loser: int, rule: Rule, lead: float) -> Row:
    sign = 1.0 if rule == "argmax" else -1.0
    return row([(outputs[winner], sign), (outputs[loser], -sign)], ">=", lead)
