"""Bounds as short decimal texts that stay true: lower ends never rise, upper ends never fall."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from math import isfinite

SHOWN_DIGITS = 6
"""Significant digits."""


def rounded_down(value: float) -> str:
    """``value`` to :data:`SHOWN_DIGITS` significant digits, never larger; ``inf`` as it is."""
    return _rounded(value, ROUND_FLOOR)


def rounded_up(value: float) -> str:
    """``value`` to :data:`SHOWN_DIGITS` significant digits, never smaller; ``inf`` as it is."""
    return _rounded(value, ROUND_CEILING)


def _rounded(value: float, rounding: str) -> str:
    if not isfinite(value):
        return str(value)
    number = Context(prec=SHOWN_DIGITS, rounding=rounding).create_decimal(Decimal(value))
    if number == 0:
        return "0"
    padded = number.quantize(Decimal(1).scaleb(number.adjusted() - SHOWN_DIGITS + 1))
    return f"{padded:f}" if 1e-4 <= abs(value) < 1e6 else f"{padded:e}"
