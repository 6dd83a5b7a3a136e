"""Linear forms given a variable of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf

from marapatch_encodings.intervals import linear_range
from marapatch_encodings.terms import Encoding, Variable, VariablePool, row


def linear(
    pool: VariablePool,
    terms: Mapping[Variable, float] | Iterable[tuple[Variable, float]],
    constant: float = 0.0,
    *,
    name: str = "linear",
    within: tuple[float, float] = (-inf, inf),
) -> Encoding:
    """Encode ``t = sum_i c_i x_i + constant`` with ``t`` a fresh variable called ``name``.

    ``t`` gets the range of the form over the pool's bounds, cut to ``within``: a range the caller
    knows ``t`` to have.

    Formula: ``t = sum_i c_i x_i + constant``
    Cost: 1 variable, 1 row
    Exact: yes
    Source: definition
    Raises: ValueError where a coefficient or the constant is not finite, or ``within`` misses
        the range of the form.
    """
    form = row(terms, "=", -constant)
    lower, upper = linear_range(pool, form, constant)
    t = pool.fresh(name, max(lower, within[0]), min(upper, within[1]))
    pairs = zip(form.variables.tolist(), form.coefficients.tolist(), strict=True)
    return Encoding(t, (row([*((Variable(v), c) for v, c in pairs), (t, -1.0)], "=", -constant),))
