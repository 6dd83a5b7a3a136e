"""The L-infinity ball, of a given radius or with the radius as a variable."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from marapatch_encodings.intervals import absolute_range
from marapatch_encodings.terms import Constraint, Encoding, Variable, VariablePool, row


def linf_ball(pool: VariablePool, ds: Sequence[Variable], radius: float) -> Encoding:
    """Require ``max_i |d_i| <= radius``.

    A row that the bounds of ``d_i`` imply is left out: variables drawn with bounds inside
    [-radius, radius] cost nothing.

    Formula: ``-radius <= d_i <= radius``
    Cost: at most 2*n rows
    Exact: yes
    Source: definition of the norm
    Raises: ValueError unless the radius is finite and at least 0.
    """
    check_radius(radius)
    constraints: list[Constraint] = []
    for d in ds:
        lower, upper = pool.bounds(d)
        if upper > radius:
            constraints.append(row({d: 1.0}, "<=", radius))
        if lower < -radius:
            constraints.append(row({d: 1.0}, ">=", -radius))
    return Encoding(None, tuple(constraints))


def linf_radius(pool: VariablePool, ds: Sequence[Variable]) -> Encoding:
    """Encode a radius ``r`` of an L-infinity ball around 0 that contains ``ds``.

    For minimising ``r``, or for bounding it by further rows. ``r`` is at most the largest ``|d_i|``
    that the bounds allow, and 0 for no ``ds``.

    Formula: ``-r <= d_i <= r``
    Cost: 1 variable, 2*n rows
    Exact: one-sided: r is at least the norm; the least r is the norm
    Source: Boyd and Vandenberghe, "Convex Optimization", section 6.1.1
    """
    ranges = [absolute_range(*pool.bounds(d)) for d in ds]
    r = pool.fresh(
        "radius",
        max((low for low, _ in ranges), default=0.0),
        max((high for _, high in ranges), default=0.0),
    )
    constraints: list[Constraint] = []
    for d in ds:
        constraints.append(row([(r, 1.0), (d, -1.0)], ">=", 0.0))
        constraints.append(row([(r, 1.0), (d, 1.0)], ">=", 0.0))
    return Encoding(r, tuple(constraints))


def check_radius(radius: float) -> None:
    """Raise ValueError unless ``radius`` is finite and at least 0."""
    if not (isfinite(radius) and radius >= 0.0):
        raise ValueError(f"the radius of a ball must be finite and at least 0, not {radius}")
