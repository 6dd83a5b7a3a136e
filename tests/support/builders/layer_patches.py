"""Patches of one layer, and what is checked of them."""

from __future__ import annotations

from fractions import Fraction
from math import inf

from exact_networks import evaluate_exactly
from small_patches import alternatives

from marapatch.patching.patch import Patch

TOLERANCE = 1e-3


SLACK = 1e-6
"""How far the second opinion's linear programs may be off, relatively."""


def holds(patch: Patch, optimum: float, tolerance: float = TOLERANCE) -> None:
    """The bracket is closed, contains the optimum, and the patch does what it says, exactly."""
    if optimum == inf:  # without limits, only a layer with no ReLU behind it can prove that
        assert patch.delta is None
        assert patch.infeasible or (patch.layer.number < 2 and not patch.closed)
        return
    assert patch.closed
    assert patch.lower <= optimum * (1.0 + SLACK)
    assert optimum * (1.0 - SLACK) <= patch.upper <= optimum * (1.0 + tolerance + SLACK)
    patched = patch.apply()
    for x, goal in zip(patch.inputs, patch.goals, strict=True):
        outputs = evaluate_exactly(patched, [Fraction(float(v)) for v in x])
        assert any(
            all(
                sum(
                    (Fraction(float(c)) * y for c, y in zip(row, outputs, strict=True)), Fraction(0)
                )
                > Fraction(float(need))
                for row, need in zip(rows, rhs, strict=True)
            )
            for rows, rhs in alternatives(goal)
        )
