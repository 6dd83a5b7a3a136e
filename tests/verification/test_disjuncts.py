"""Disjuncts of a property that share their box."""

from __future__ import annotations

from fractions import Fraction

from marapatch.formats.vnnlib.reader import parse_property


def test_many_disjuncts_over_many_inputs_share_their_box() -> None:
    """Sizes follow what is written: one box of 20,000 inputs, and 500 conditions."""
    names = [f"X_{i}" for i in range(20_000)] + ["Y_0", "Y_1"]
    text = "".join(f"(declare-const {name} Real)" for name in names)
    text += "".join(f"(assert (>= X_{i} 0.1))(assert (<= X_{i} 0.{i + 2}))" for i in range(20_000))
    text += f"(assert (or {' '.join(f'(>= Y_0 {k}.5)' for k in range(500))}))"
    (case,) = parse_property(text).cases
    assert len(case.alternatives) == 500
    assert case.box.upper[7] == Fraction(9, 10)
