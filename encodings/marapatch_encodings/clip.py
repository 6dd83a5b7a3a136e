"""Clipping to an interval."""

from __future__ import annotations

from math import isfinite

from marapatch_encodings.linear import linear
from marapatch_encodings.relu import relu
from marapatch_encodings.terms import Encoding, Variable, VariablePool


def clip(pool: VariablePool, x: Variable, low: float, high: float) -> Encoding:
    """Encode ``t = min(max(x, low), high)`` by two ReLUs.

    Formula: ``t = low + relu(x - low) - relu(x - high)``
    Cost: 5 variables, 2 ReLUs, 3 rows
    Exact: yes
    Source: the ReLU6 of Krizhevsky, "Convolutional Deep Belief Networks on CIFAR-10", 2010,
        for any interval; the formula by cases on x
    Raises: ValueError unless ``low <= high`` are finite.
    """
    if not (isfinite(low) and isfinite(high) and low <= high):
        raise ValueError(f"clipping needs finite low <= high, not [{low}, {high}]")
    above_low = linear(pool, {x: 1.0}, -low, name="above")
    above_high = linear(pool, {x: 1.0}, -high, name="excess")
    first = relu(pool, above_low.variable)
    second = relu(pool, above_high.variable)
    lower, upper = pool.bounds(x)
    value = linear(
        pool,
        {first.variable: 1.0, second.variable: -1.0},
        low,
        name="clip",
        within=(min(max(lower, low), high), min(max(upper, low), high)),
    )
    parts = (above_low, above_high, first, second, value)
    return Encoding(value.value, tuple(c for part in parts for c in part.constraints))
