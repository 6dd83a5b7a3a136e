"""Interval propagation: no solution is lost, and sums are rounded outwards."""

from __future__ import annotations

from fractions import Fraction
from math import inf

import numpy as np
import pytest
from random_queries import random_query

from marapatch.query.intervals import activity, propagate
from marapatch.query.query import Query
from marapatch.query.reduction import reduce
from marapatch.solvers.base import Candidate, Infeasible
from marapatch.solvers.enumeration import EnumerationBackend
from marapatch.solvers.highs.backend import HighsBackend
from marapatch_encodings import Abs, Relu, Variable, VariablePool, row

TIMEOUT = 20.0
OPTIMISERS = (HighsBackend(), EnumerationBackend())


class TestPropagation:
    def test_encloses_every_solution(self) -> None:
        """Bounds hold at every point found, and say None only where there is no point."""
        finite = 0
        for seed in range(200):
            query = random_query(seed, grid=bool(seed % 2))
            reduced = reduce(query)
            answer = EnumerationBackend().solve(query, TIMEOUT)
            bounds = None if reduced is None else propagate(reduced)
            if bounds is None:
                assert answer == Infeasible(), seed
            elif isinstance(answer, Candidate):
                assert (bounds[0] - 1e-7 <= answer.assignment).all(), seed
                assert (answer.assignment <= bounds[1] + 1e-7).all(), seed
                finite += int(np.isfinite(bounds[0]).all())
        assert finite > 20

    def test_follows_a_network_to_its_output(self) -> None:
        pool = VariablePool()
        x, y = pool.fresh_many("x", [-1.0, -1.0], [1.0, 1.0])
        z, a, b = pool.fresh("z"), pool.fresh("a"), pool.fresh("b")
        query = Query.of(pool, [row({x: 1.0, y: 2.0, z: -1.0}, "=", 1.0), Relu(z, a), Abs(z, b)])
        bounds = propagate(query)
        assert bounds is not None
        lower, upper = bounds
        assert lower[2:] == pytest.approx([-4.0, 0.0, 0.0], abs=1e-9)
        assert upper[2:] == pytest.approx([2.0, 2.0, 4.0], abs=1e-9)
        assert (lower[2:] <= [-4.0, 0.0, 0.0]).all()
        assert (upper[2:] >= [2.0, 2.0, 4.0]).all()

    @pytest.mark.parametrize(("low", "high"), [(0.5, 2.0), (1.0, 3.0)])
    def test_goes_backwards_through_an_absolute_value(self, low: float, high: float) -> None:
        pool = VariablePool()
        x, y = pool.fresh("x", -low / 2, 10.0), pool.fresh("y", low, high)
        bounds = propagate(Query.of(pool, [Abs(x, y)]))
        assert bounds is not None
        assert (bounds[0][0], bounds[1][0]) == (low, high)

    def test_sums_are_rounded_outwards(self) -> None:
        """0.1 ten times is below 1 in float64; the exact sum of the stored numbers is above."""
        variables = [Variable(i) for i in range(10)]
        low, high = activity(
            row(dict.fromkeys(variables, 0.1), "<=", 1.0), np.ones(10), np.ones(10)
        )
        assert low < 1.0 < high
        assert high - low < 1e-14

    def test_overflow_gives_no_bound(self) -> None:
        pool = VariablePool()
        x, y = pool.fresh("x", -1e300, 1e300), pool.fresh("y")
        bounds = propagate(Query.of(pool, [row({x: 1e300, y: 1.0}, "<=", 0.0)]))
        assert bounds is not None
        assert bounds[1][1] == inf


HUGE = 1.7e308


@pytest.mark.parametrize("sense", ["<=", ">="])
def test_sums_and_products_that_overflow_refute_nothing(sense: str) -> None:
    """Every query here has a solution, whose rows float64 cannot add up."""
    sign = 1.0 if sense == "<=" else -1.0
    product = [(1e200, 1.9e108, 2e108), (-1.0, 0.0, HUGE), (-1.0, 0.0, HUGE)]  # 1.9e308 - 3.4e308
    total = [(1.0, 1e308, 1.1e308), (1.0, 1e308, 1.1e308), (-1.0, 1e308, HUGE)]  # 2e308 - 1.7e308
    for terms in (product, total, total[::-1]):
        pool = VariablePool()
        names = [pool.fresh("x", low, high) for _, low, high in terms]
        coefficients = {x: sign * c for x, (c, _, _) in zip(names, terms, strict=True)}
        query = Query.of(pool, [row(coefficients, sense, sign * 5e307)])  # type: ignore[arg-type]
        exact = sum(Fraction(c) * Fraction(low if c > 0 else high) for c, low, high in terms)
        assert exact <= Fraction(5e307)  # at that corner
        reduced = reduce(query)
        assert reduced is not None
        bounds = propagate(reduced)
        assert bounds is not None
        assert not np.isnan(bounds).any()
        for i, (c, low, high) in enumerate(terms):
            assert bounds[0][i] <= (low if c > 0 else high) <= bounds[1][i]
        least, most = activity(query.constraints[0], query.lower, query.upper)  # type: ignore[arg-type]
        assert least <= sign * exact <= most
