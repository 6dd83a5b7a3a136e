"""Signs of sums of exponentials and bounds on logarithms, decided with certainty.

Trusted here: the standard library's ``decimal``, whose ``exp`` and ``ln`` are correctly rounded
to the precision asked for, so that the true value is within one unit of the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
)
from fractions import Fraction

PRECISIONS = (40, 160, 640)
"""Digits with which a sum is evaluated, until its sign is clear."""

VANISHING_EXPONENT = Decimal(-100_000)
"""An exponential of less than this is only known to lie between 0 and its value here: nothing that
is added to it is as small."""

LOG_DIGITS = 40
"""Digits of a logarithm: far more than float64 holds."""

_LOG_UNIT = Fraction(1, 10 ** (LOG_DIGITS - 1))

Interval = tuple[Fraction, Fraction]
"""A lower and an upper end."""


def sign_of_sum(coefficients: Sequence[Fraction], exponents: Sequence[Fraction]) -> int | None:
    """The sign (-1, 0 or 1) of ``sum_k coefficients[k] * exp(exponents[k])``.

    Exponentials of distinct rational numbers are linearly independent over the rationals
    (Lindemann and Weierstrass), so the sum is 0 only where the coefficients of every exponent
    cancel, and else more digits show its sign; None where :data:`PRECISIONS` do not suffice.
    """
    total: dict[Fraction, Fraction] = {}
    for coefficient, exponent in zip(coefficients, exponents, strict=True):
        total[exponent] = total.get(exponent, Fraction(0)) + coefficient
    kept = {exponent: c for exponent, c in total.items() if c}
    if not kept:
        return 0
    if all(c > 0 for c in kept.values()) or all(c < 0 for c in kept.values()):
        return 1 if next(iter(kept.values())) > 0 else -1
    # The largest becomes exp(0): nothing overflows, and what is small is small beside 1.
    largest = max(kept)
    for precision in PRECISIONS:
        low, high = _sum(kept, largest, precision)
        if low > 0 or high < 0:
            return 1 if low > 0 else -1
    return None


def least_sum(coefficients: Sequence[Fraction], ranges: Sequence[Interval]) -> int | None:
    """The sign of ``sum_k coefficients[k] * exp(x_k)`` where it is the same, and not 0, for all
    x_k in ``ranges[k]``; None otherwise."""
    pairs = list(zip(coefficients, ranges, strict=True))
    for sign in (1, -1):
        signed = [sign * c for c, _ in pairs]
        # The sum is least where what is added is least and what is subtracted is largest.
        worst = [r[0] if c > 0 else r[1] for c, (_, r) in zip(signed, pairs, strict=True)]
        if sign_of_sum(signed, worst) == 1:
            return sign
    return None


def log_bounds(value: Fraction) -> Interval:
    """Ends of an interval that holds the natural logarithm of ``value`` > 0; exact for 1."""
    if value == 1:
        return Fraction(0), Fraction(0)
    near = _context(LOG_DIGITS)
    low = Fraction(_quotient(value, ROUND_FLOOR, LOG_DIGITS).ln(near))
    high = Fraction(_quotient(value, ROUND_CEILING, LOG_DIGITS).ln(near))
    # Absolute, not only relative: rounding to 1 on the way loses how near to 0 it was.
    return low - _LOG_UNIT * max(abs(low), Fraction(1)), high + _LOG_UNIT * max(
        abs(high), Fraction(1)
    )


def exp_bounds(value: Fraction) -> Interval:
    """Ends of an interval that holds ``exp(value)``; ``value`` at most 10,000."""
    low, high = _exponential(value, LOG_DIGITS)
    return Fraction(low), Fraction(high)


def _sum(
    kept: dict[Fraction, Fraction], largest: Fraction, precision: int
) -> tuple[Decimal, Decimal]:
    """A lower and an upper end of ``sum c exp(r - largest)``."""
    floor, ceiling = _context(precision, ROUND_FLOOR), _context(precision, ROUND_CEILING)
    low = high = Decimal(0)
    for exponent, coefficient in kept.items():
        factor = (
            _quotient(coefficient, ROUND_FLOOR, precision),
            _quotient(coefficient, ROUND_CEILING, precision),
        )
        size = _exponential(exponent - largest, precision)
        # exp is positive, so the sign of the coefficient says which ends belong together.
        least, most = (size[0], size[1]) if coefficient > 0 else (size[1], size[0])
        low = floor.add(low, floor.multiply(factor[0], least))
        high = ceiling.add(high, ceiling.multiply(factor[1], most))
    return low, high


def _exponential(exponent: Fraction, precision: int) -> tuple[Decimal, Decimal]:
    """Ends of an interval that holds ``exp(exponent)``."""
    if exponent == 0:
        return Decimal(1), Decimal(1)
    low, high = (
        _quotient(exponent, ROUND_FLOOR, precision),
        _quotient(exponent, ROUND_CEILING, precision),
    )
    floor, ceiling = _context(precision, ROUND_FLOOR), _context(precision, ROUND_CEILING)
    unit = Decimal(10).scaleb(-precision)  # 10^(1 - precision): a whole unit of the last digit
    less, more = floor.subtract(Decimal(1), unit), ceiling.add(Decimal(1), unit)
    if high < VANISHING_EXPONENT:
        return Decimal(0), ceiling.multiply(VANISHING_EXPONENT.exp(_context(precision)), more)
    near = _context(precision)
    return floor.multiply(low.exp(near), less), ceiling.multiply(high.exp(near), more)


def _quotient(value: Fraction, rounding: str, precision: int) -> Decimal:
    """``value`` in decimal digits, rounded to one side."""
    exact = _context(precision, rounding)
    # Context.divide rounds the true quotient of its operands once; integers convert exactly.
    return exact.divide(Decimal(value.numerator), Decimal(value.denominator))


def _context(precision: int, rounding: str = ROUND_HALF_EVEN) -> Context:
    return Context(prec=precision, rounding=rounding, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
