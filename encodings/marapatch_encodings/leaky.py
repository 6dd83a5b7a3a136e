"""The leaky ReLU."""

from __future__ import annotations

from fractions import Fraction
from math import inf, isfinite, isinf

from marapatch_encodings.intervals import round_down, round_up
from marapatch_encodings.linear import linear
from marapatch_encodings.relu import relu
from marapatch_encodings.terms import Encoding, Variable, VariablePool


def leaky(pool: VariablePool, x: Variable, slope: float) -> Encoding:
    """Encode ``t = x`` for ``x >= 0`` and ``t = slope * x`` below, by one ReLU.

    Any finite slope is allowed. The coefficient ``1 - slope`` is the nearest float64, which is the
    only deviation: ``t`` is off by at most ``2**-53 (1 + |slope|) |x|`` for positive ``x``, and
    not at all where ``1 - slope`` is a float64 (0, 1/8, 1/4, ...). The bounds of ``t`` are those of
    the function as encoded.

    Formula: ``t = s x + (1 - s) relu(x)``
    Cost: 2 variables, 1 ReLU, 1 row
    Exact: yes, up to the float64 rounding of 1 - s
    Source: Maas et al., "Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013,
        for the function; the formula by cases on the sign of x
    Raises: ValueError where the slope is not finite.
    """
    if not isfinite(slope):
        raise ValueError(f"the slope of a leaky ReLU must be finite, not {slope}")
    positive = relu(pool, x)
    value = linear(
        pool,
        {x: slope, positive.variable: 1.0 - slope},
        name="leaky",
        within=_range(*pool.bounds(x), slope),
    )
    return Encoding(value.value, positive.constraints + value.constraints)


def _range(lower: float, upper: float, slope: float) -> tuple[float, float]:
    """The range of the encoded function, which is linear on either side of 0: its values at the
    ends and, between, at 0. Above 0 its slope is 1 but for the rounding of ``1 - slope``."""
    above = Fraction(slope) + Fraction(1.0 - slope)
    lows, highs = [], []
    for end in (lower, min(max(lower, 0.0), upper), upper):
        gain = above if end > 0.0 else Fraction(slope)
        if isinf(end):
            value = 0.0 if gain == 0 else inf if (end > 0) == (gain > 0) else -inf
            lows.append(value)
            highs.append(value)
        else:
            lows.append(round_down(gain * Fraction(end)))
            highs.append(round_up(gain * Fraction(end)))
    return min(lows), max(highs)
