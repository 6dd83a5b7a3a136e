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
    not at all where ``1 - slope`` is a float64 (0, 1/8, 1/4, ...).

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
    """The hull of leaky(lower), leaky(upper) and, between, leaky(0): the function is linear on
    either side of 0. Above 0 both the slope 1 and the row's own slope count, which may differ by
    the rounding of 1 - slope."""
    above = (Fraction(1), Fraction(slope) + Fraction(1.0 - slope))
    lows, highs = [], []
    for end in (lower, min(max(lower, 0.0), upper), upper):
        for gain in above if end > 0.0 else (Fraction(slope),):
            if isinf(end):
                ends = [inf if (end > 0) == (gain > 0) else -inf] if gain else [0.0]
                lows += ends
                highs += ends
            else:
                exact = gain * Fraction(end)
                lows.append(round_down(exact))
                highs.append(round_up(exact))
    return min(lows), max(highs)
