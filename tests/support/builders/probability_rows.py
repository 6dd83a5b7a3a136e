"""Rows over probabilities, and the probabilities in many digits."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from marapatch.network.output_transform import OutputTransform
from marapatch.problem.specification import LinearRow

SOFTMAX, LOG_SOFTMAX = OutputTransform.SOFTMAX, OutputTransform.LOG_SOFTMAX


small = st.integers(-20, 20).map(lambda n: Fraction(n, 10))


score = st.integers(-400, 400).map(lambda n: Fraction(n, 64))


scores = st.lists(score, min_size=1, max_size=5)


@st.composite
def rows(draw: st.DrawFn) -> tuple[LinearRow, OutputTransform, list[Fraction]]:
    y = draw(scores)
    transform = draw(st.sampled_from([SOFTMAX, LOG_SOFTMAX]))
    chosen = draw(st.sets(st.integers(0, len(y) - 1), min_size=1))
    coefficients = {j: draw(small.filter(bool)) for j in chosen}
    rhs = draw(
        st.one_of(small, st.just(Fraction(0)), st.integers(-9, 9).map(lambda n: Fraction(n, 100)))
    )
    return LinearRow({}, coefficients, rhs, draw(st.booleans())), transform, y


def row(coefficients: dict[int, float], rhs: float, *, strict: bool = False) -> LinearRow:
    return LinearRow({}, {j: Fraction(c) for j, c in coefficients.items()}, Fraction(rhs), strict)
