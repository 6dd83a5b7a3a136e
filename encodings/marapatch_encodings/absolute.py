"""The absolute value."""

from __future__ import annotations

from marapatch_encodings.intervals import absolute_range
from marapatch_encodings.linear import linear
from marapatch_encodings.relu import relu
from marapatch_encodings.terms import Abs, Encoding, Variable, VariablePool


def absolute(pool: VariablePool, x: Variable) -> Encoding:
    """Encode ``t = |x|`` by one ReLU.

    The published formula is ``relu(2 x) - x``; ReLU is positively homogeneous, so the factor
    stands in front of it here and saves a variable.

    Formula: ``t = |x| = 2 relu(x) - x``
    Cost: 2 variables, 1 ReLU, 1 row
    Exact: yes
    Source: Carlini et al., "Ground-Truth Adversarial Examples", section 3
    """
    positive = relu(pool, x)
    terms = {positive.variable: 2.0, x: -1.0}
    value = linear(pool, terms, name="abs", within=absolute_range(*pool.bounds(x)))
    return Encoding(value.value, positive.constraints + value.constraints)


def absolute_native(pool: VariablePool, x: Variable) -> Encoding:
    """Encode ``t = |x|`` by the native absolute-value constraint.

    Formula: ``t = |x|``
    Cost: 1 variable, 1 Abs
    Exact: yes
    Source: Marabou's own constraint (Wu et al., "Marabou 2.0", CAV 2024, section 2)
    """
    t = pool.fresh("abs", *absolute_range(*pool.bounds(x)))
    return Encoding(t, (Abs(x, t),))
