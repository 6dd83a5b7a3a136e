"""Hypothesis strategies shared by the tests.

Numbers are dyadic (multiples of 1/64 of small size) wherever a test wants float64 arithmetic to
be exact, so that it can compare without a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from hypothesis import settings
from hypothesis import strategies as st

STEPS = 64
"""Dyadic numbers are multiples of 1 / STEPS."""

few = settings(max_examples=15, deadline=None)
many = settings(max_examples=60, deadline=None)


def dyadics(lower: float = -8.0, upper: float = 8.0) -> st.SearchStrategy[float]:
    """Multiples of 1/64 from ``lower`` to ``upper``, which must be such multiples themselves."""
    return st.integers(int(lower * STEPS), int(upper * STEPS)).map(lambda k: k / STEPS)


@dataclass(frozen=True)
class BoxedPoint:
    """A number with bounds around it: ``lower <= value <= upper``."""

    lower: float
    value: float
    upper: float


def boxed_points(size: float = 8.0, *, finite: bool = False) -> st.SearchStrategy[BoxedPoint]:
    """A dyadic number of at most ``size`` with dyadic bounds, fixed or (unless ``finite``)
    infinite ones among them, and every position relative to 0."""

    def box(numbers: list[float], open_below: bool, open_above: bool) -> BoxedPoint:
        lower, value, upper = sorted(numbers)
        return BoxedPoint(-inf if open_below else lower, value, inf if open_above else upper)

    numbers = st.one_of(
        st.lists(dyadics(-size, size), min_size=3, max_size=3),
        dyadics(-size, size).map(lambda x: [x] * 3),
        dyadics(-size, size).map(lambda x: [x, 0.0, 0.0]),
    )
    openness = st.just(False) if finite else st.sampled_from((False, False, False, True))
    return st.builds(box, numbers, openness, openness)
