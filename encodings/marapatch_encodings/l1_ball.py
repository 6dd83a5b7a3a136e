"""The L1 ball in three forms, of a given radius or with the radius as a variable.

All three describe the same set of ``d``; they differ in what they ask of the solver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import inf
from types import MappingProxyType
from typing import Literal

from marapatch_encodings.intervals import absolute_range, round_up
from marapatch_encodings.linf_ball import check_radius
from marapatch_encodings.terms import Abs, Constraint, Encoding, Relu, Variable, VariablePool, row

L1Form = Literal["relu", "abs", "split"]
"""How the absolute values are encoded; see :data:`L1_FORMS`."""


def l1_ball(
    pool: VariablePool, ds: Sequence[Variable], radius: float, form: L1Form = "split"
) -> Encoding:
    """Require ``sum_i |d_i| <= radius`` in the form called ``form`` of :data:`L1_FORMS`.

    Raises ValueError unless the radius is finite and at least 0 and the form is known.
    """
    return _form(form)(pool, ds, radius)


def l1_ball_relu(pool: VariablePool, ds: Sequence[Variable], radius: float) -> Encoding:
    """Require ``sum_i |d_i| <= radius``, each absolute value by one ReLU, as published.

    Formula: ``sum_i (2 relu(d_i) - d_i) <= radius``
    Cost: n variables, n ReLUs, 1 row
    Exact: yes
    Source: Carlini et al., "Ground-Truth Adversarial Examples", section 3
    Raises: ValueError unless the radius is finite and at least 0.
    """
    return _ball(pool, ds, radius, "relu")


def l1_ball_abs(pool: VariablePool, ds: Sequence[Variable], radius: float) -> Encoding:
    """Require ``sum_i |d_i| <= radius`` with native absolute values.

    Formula: ``sum_i |d_i| <= radius``
    Cost: n variables, n Abs, 1 row
    Exact: yes
    Source: definition; Marabou's own constraint (Wu et al., "Marabou 2.0", CAV 2024, section 2)
    Raises: ValueError unless the radius is finite and at least 0.
    """
    return _ball(pool, ds, radius, "abs")


def l1_ball_split(pool: VariablePool, ds: Sequence[Variable], radius: float) -> Encoding:
    """Require ``sum_i |d_i| <= radius`` by linear rows only.

    Exact in ``d``, because the ball is convex: ``|d_i| <= p_i + m_i``, with equality possible.
    But a solution's ``p_i`` and ``m_i`` need not be the positive and negative parts of ``d_i``
    (both may be positive), so nothing may be read off them.

    Formula: ``d_i = p_i - m_i, p_i >= 0, m_i >= 0, sum_i (p_i + m_i) <= radius``
    Cost: 2*n variables, n + 1 rows
    Exact: yes in d; the parts p, m are not unique
    Source: Bertsimas and Tsitsiklis, "Introduction to Linear Optimization", section 1.3
    Raises: ValueError unless the radius is finite and at least 0.
    """
    return _ball(pool, ds, radius, "split")


L1_FORMS: Mapping[L1Form, Callable[[VariablePool, Sequence[Variable], float], Encoding]] = (
    MappingProxyType({"relu": l1_ball_relu, "abs": l1_ball_abs, "split": l1_ball_split})
)
"""Every form by its name."""


def l1_radius(pool: VariablePool, ds: Sequence[Variable], form: L1Form = "split") -> Encoding:
    """Encode a radius ``r`` of an L1 ball around 0 that contains ``ds``.

    For minimising ``r``, or for bounding it by further rows. ``r`` is at most the largest sum that
    the bounds allow, and 0 for no ``ds``.

    Formula: ``sum_i |d_i| <= r``, the sum as in the form chosen
    Cost: 2*n + 1 variables, n + 1 rows; for the other forms too, 1 variable more than the ball
    Exact: one-sided: r is at least the norm; the least r is the norm
    Source: Boyd and Vandenberghe, "Convex Optimization", section 6.1.1
    Raises: ValueError where the form is not known.
    """
    _form(form)
    terms, constraints = _PARTS[form](pool, ds, inf)
    highest = [absolute_range(*pool.bounds(d))[1] for d in ds]
    total = inf if inf in highest else round_up(sum(map(Fraction, highest), Fraction(0)))
    r = pool.fresh("radius", 0.0, total)
    return Encoding(r, (*constraints, row([*terms, (r, -1.0)], "<=", 0.0)))


_Terms = list[tuple[Variable, float]]
"""A linear form that is the L1 norm, or at least the norm for the split form."""


def _relu_parts(
    pool: VariablePool, ds: Sequence[Variable], radius: float
) -> tuple[_Terms, list[Constraint]]:
    terms: _Terms = []
    constraints: list[Constraint] = []
    for d in ds:
        lower, upper = pool.bounds(d)
        positive = pool.fresh("relu", *_capped(max(lower, 0.0), max(upper, 0.0), radius))
        constraints.append(Relu(d, positive))
        terms += [(positive, 2.0), (d, -1.0)]
    return terms, constraints


def _abs_parts(
    pool: VariablePool, ds: Sequence[Variable], radius: float
) -> tuple[_Terms, list[Constraint]]:
    terms: _Terms = []
    constraints: list[Constraint] = []
    for d in ds:
        size = pool.fresh("abs", *_capped(*absolute_range(*pool.bounds(d)), radius))
        constraints.append(Abs(d, size))
        terms.append((size, 1.0))
    return terms, constraints


def _split_parts(
    pool: VariablePool, ds: Sequence[Variable], radius: float
) -> tuple[_Terms, list[Constraint]]:
    terms: _Terms = []
    constraints: list[Constraint] = []
    for d in ds:
        lower, upper = pool.bounds(d)
        # Bounds that keep the true positive and negative part, so no d is lost.
        plus = pool.fresh("plus", *_capped(max(lower, 0.0), max(upper, 0.0), radius))
        minus = pool.fresh("minus", *_capped(max(0.0, -upper), max(0.0, -lower), radius))
        constraints.append(row([(plus, 1.0), (minus, -1.0), (d, -1.0)], "=", 0.0))
        terms += [(plus, 1.0), (minus, 1.0)]
    return terms, constraints


_PARTS: Mapping[
    L1Form,
    Callable[[VariablePool, Sequence[Variable], float], tuple[_Terms, list[Constraint]]],
] = MappingProxyType({"relu": _relu_parts, "abs": _abs_parts, "split": _split_parts})


def _capped(lower: float, upper: float, radius: float) -> tuple[float, float]:
    """The bounds with ``upper`` cut to the radius, but never below ``lower``: where that happens
    the ball misses the box, and it is the row of the sum that must say so."""
    return lower, max(lower, min(upper, radius))


def _ball(pool: VariablePool, ds: Sequence[Variable], radius: float, form: L1Form) -> Encoding:
    check_radius(radius)
    terms, constraints = _PARTS[form](pool, ds, radius)
    return Encoding(None, (*constraints, row(terms, "<=", radius)))


def _form(form: L1Form) -> Callable[[VariablePool, Sequence[Variable], float], Encoding]:
    if form not in L1_FORMS:
        raise ValueError(f"no L1 form {form!r}; choose one of {', '.join(L1_FORMS)}")
    return L1_FORMS[form]
