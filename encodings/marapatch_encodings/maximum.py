"""The maximum of several variables."""

from __future__ import annotations

from collections.abc import Sequence

from marapatch_encodings.linear import linear
from marapatch_encodings.relu import relu
from marapatch_encodings.terms import Constraint, Encoding, Max, Variable, VariablePool


def maximum(pool: VariablePool, xs: Sequence[Variable]) -> Encoding:
    """Encode ``t = max(xs)`` by a tournament of ReLUs.

    Pairs are compared in rounds, so that the ReLUs lie about log2(n) deep. The maximum of one
    variable is that variable itself.

    Formula: ``max(x, y) = relu(x - y) + y``
    Cost: 3*(n - 1) variables, n - 1 ReLUs, 2*(n - 1) rows
    Exact: yes
    Source: Carlini et al., "Ground-Truth Adversarial Examples", section 3
    Raises: ValueError where ``xs`` is empty.
    """
    if not xs:
        raise ValueError("the maximum of no variables is not defined; give at least one")
    constraints: list[Constraint] = []
    players = list(xs)
    while len(players) > 1:
        winners = players[-1:] if len(players) % 2 else []
        for x, y in zip(players[0::2], players[1::2], strict=False):
            game = _maximum_of_two(pool, x, y)
            constraints += game.constraints
            winners.append(game.variable)
        players = winners
    return Encoding(players[0], tuple(constraints))


def maximum_native(pool: VariablePool, xs: Sequence[Variable]) -> Encoding:
    """Encode ``t = max(xs)`` by the native maximum constraint.

    Formula: ``t = max(x_1, ..., x_n)``
    Cost: 1 variable, 1 Max
    Exact: yes
    Source: Marabou's own constraint (Katz et al., "The Marabou Framework", CAV 2019, section 3)
    Raises: ValueError where ``xs`` is empty.
    """
    if not xs:
        raise ValueError("the maximum of no variables is not defined; give at least one")
    bounds = [pool.bounds(x) for x in xs]
    t = pool.fresh("max", max(lower for lower, _ in bounds), max(upper for _, upper in bounds))
    return Encoding(t, (Max(tuple(xs), t),))


def _maximum_of_two(pool: VariablePool, x: Variable, y: Variable) -> Encoding:
    difference = linear(pool, [(x, 1.0), (y, -1.0)], name="lead")
    positive = relu(pool, difference.variable)
    (x_lower, x_upper), (y_lower, y_upper) = pool.bounds(x), pool.bounds(y)
    value = linear(
        pool,
        {positive.variable: 1.0, y: 1.0},
        name="max",
        within=(max(x_lower, y_lower), max(x_upper, y_upper)),
    )
    return Encoding(value.value, difference.constraints + positive.constraints + value.constraints)
