"""Ranges of linear forms and absolute values over the bounds of a pool, rounded outward.

Computed in exact rational arithmetic, so that no bound given to a fresh variable ever cuts off a
point of the encoded set. Meant for the short forms of the encodings, not for whole layers.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from math import inf, isinf, nextafter

from marapatch_encodings.terms import Row, VariablePool


def round_down(exact: Fraction) -> float:
    """The largest float64 that is at most ``exact`` (-inf where there is no finite one)."""
    try:
        nearest = float(exact)
    except OverflowError:
        return sys.float_info.max if exact > 0 else -inf
    return nearest if Fraction(nearest) <= exact else nextafter(nearest, -inf)


def round_up(exact: Fraction) -> float:
    """The smallest float64 that is at least ``exact`` (inf where there is no finite one)."""
    return -round_down(-exact) + 0.0  # never the negative zero


def linear_range(pool: VariablePool, form: Row, constant: float = 0.0) -> tuple[float, float]:
    """The range of ``form``'s left-hand side plus ``constant`` over the bounds of ``pool``.

    ``form`` is used for its variables and coefficients only. Returns the tightest float64
    interval around the true range; its ends are infinite where a needed bound is.
    """
    low = high = Fraction(constant)
    low_open = high_open = False
    for variable, coefficient in zip(
        form.variables.tolist(), form.coefficients.tolist(), strict=True
    ):
        lower, upper = pool.bounds(variable)
        least, most = (lower, upper) if coefficient > 0 else (upper, lower)
        if isinf(least):
            low_open = True
        else:
            low += Fraction(coefficient) * Fraction(least)
        if isinf(most):
            high_open = True
        else:
            high += Fraction(coefficient) * Fraction(most)
    return -inf if low_open else round_down(low), inf if high_open else round_up(high)


def absolute_range(lower: float, upper: float) -> tuple[float, float]:
    """The range of ``|x|`` for ``lower <= x <= upper``; exact."""
    if lower <= 0.0 <= upper:
        return 0.0, max(upper, -lower) + 0.0
    return min(abs(lower), abs(upper)), max(abs(lower), abs(upper))
