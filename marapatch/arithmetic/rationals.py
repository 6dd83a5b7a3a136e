"""Rational numbers as floats, rounded to a named side, and as decimal digits."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from math import inf, nextafter
from typing import Any

import numpy as np

WRITTEN_DIGITS = 40
"""Of a number that no decimal number is exactly."""


def nearest(value: Fraction) -> float:
    """``value`` rounded to the nearest float64; infinite where it is out of range."""
    try:
        return float(value)  # correctly rounded: int / int is
    except OverflowError:
        return inf if value > 0 else -inf


def down(value: Fraction) -> float:
    """The largest float64 that is at most ``value``."""
    near = nearest(value)
    if near == -inf or (near != inf and Fraction(near) <= value):
        return near
    return nextafter(near, -inf)


def up(value: Fraction) -> float:
    """The smallest float64 that is at least ``value``."""
    return -down(-value) + 0.0  # not -0.0, which looks smaller than 0.0 to some


def first_at_or_above(value: Fraction, dtype: np.dtype[Any], *, strict: bool = False) -> Any:
    """The smallest number of ``dtype`` that is at least ``value`` (more than it, if ``strict``).

    Infinite where every finite number is too small.
    """
    with np.errstate(over="ignore"):
        near = dtype.type(nearest(value))
        while near != inf and (near == -inf or not _beyond(near, value, strict=strict)):
            near = np.nextafter(near, dtype.type(inf))
        previous = np.nextafter(near, dtype.type(-inf))
        while previous != -inf and _beyond(previous, value, strict=strict):
            near, previous = previous, np.nextafter(previous, dtype.type(-inf))
    return near


def last_at_or_below(value: Fraction, dtype: np.dtype[Any], *, strict: bool = False) -> Any:
    """The largest number of ``dtype`` that is at most ``value`` (less than it, if ``strict``)."""
    return -first_at_or_above(-value, dtype, strict=strict)


def _beyond(number: Any, value: Fraction, *, strict: bool) -> bool:
    exact = Fraction(float(number))
    return exact > value if strict else exact >= value


def exact_text(value: Fraction) -> str:
    """A rational number in decimal digits: all of them, or :data:`WRITTEN_DIGITS` where they never
    end."""
    rest = value.denominator
    twos = fives = 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        context = Context(prec=WRITTEN_DIGITS, rounding=ROUND_HALF_EVEN)
        return f"{context.divide(Decimal(value.numerator), Decimal(value.denominator)):f}"
    places = max(twos, fives)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    whole, part = (digits[:-places], digits[-places:]) if places else (digits, "0")
    return f"{'-' if value < 0 else ''}{whole}.{part}"
