"""The ReLU itself, with bounds."""

from __future__ import annotations

from marapatch_encodings.terms import Encoding, Relu, Variable, VariablePool


def relu(pool: VariablePool, x: Variable) -> Encoding:
    """Encode ``t = max(x, 0)`` by the native ReLU constraint.

    Formula: ``t = relu(x)``
    Cost: 1 variable, 1 ReLU
    Exact: yes
    Source: Katz et al., "Reluplex", CAV 2017
    """
    lower, upper = pool.bounds(x)
    t = pool.fresh("relu", max(lower, 0.0), max(upper, 0.0))
    return Encoding(t, (Relu(x, t),))
