"""What is wrong with an answer, where the exact one is known."""

from __future__ import annotations

from fractions import Fraction
from math import isfinite

from exact_optimum import Optimum

from marapatch.problem.bracket import Bracket


def fault_of(bracket: Bracket, optimum: Optimum | None) -> str:
    """What is wrong with ``bracket``: nothing, ``lower`` or ``upper``."""
    if optimum is None:
        return "upper" if bracket.witness is not None else ""
    if optimum.exact and (
        not isfinite(bracket.lower) or Fraction(bracket.lower) > optimum.distance
    ):
        return "lower"
    if optimum.exact and bracket.upper < float(optimum.distance) * (1.0 - 1e-9):
        return "upper"
    return ""
