"""The translation of queries to mixed-integer programs, and the bounds it is built on."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from marapatch.query.query import Query
from marapatch.solvers.base import Candidate, Infeasible, Undecided
from marapatch.solvers.enumeration import EnumerationBackend
from marapatch.solvers.highs.backend import HighsBackend
from marapatch.solvers.highs.milp import Program, scaled, translate
from marapatch_encodings import Abs, Max, Relu, Variable, VariablePool, row

TIMEOUT = 20.0
OPTIMISERS = (HighsBackend(), EnumerationBackend())


class TestMilp:
    def test_names_the_variable_without_bounds(self) -> None:
        pool = VariablePool()
        x = pool.fresh("endless")
        query = Query.of(pool, [Relu(x, pool.fresh("y"))])
        answer = HighsBackend().solve(query, TIMEOUT)
        assert isinstance(answer, Undecided)
        assert "'endless' has no finite bounds" in answer.reason
        optimum = HighsBackend().minimise(query, [1.0, 0.0], TIMEOUT)
        assert optimum.bound == -inf
        assert not optimum.infeasible

    @pytest.mark.parametrize(
        ("low", "high", "binaries"), [(-1.0, 1.0, 1), (0.0, 1.0, 0), (-1.0, 0.0, 0)]
    )
    @pytest.mark.parametrize("kind", [Relu, Abs])
    def test_one_binary_an_open_phase(
        self, kind: type[Relu] | type[Abs], low: float, high: float, binaries: int
    ) -> None:
        pool = VariablePool()
        x = pool.fresh("x", low, high)
        program = translate(Query.of(pool, [kind(x, pool.fresh("y"))]))
        assert isinstance(program, Program)
        assert program.variables == 2
        assert int(program.integer.sum()) == binaries

    def test_one_binary_an_input_that_can_be_largest(self) -> None:
        pool = VariablePool()
        xs = pool.fresh_many("x", [0.0, 1.0, -3.0], [2.0, 2.0, -1.0])
        program = translate(Query.of(pool, [Max(xs, pool.fresh("y"))]))
        assert isinstance(program, Program)
        assert int(program.integer.sum()) == 2

    def test_a_coefficient_that_highs_would_drop_is_relaxed(self) -> None:
        """1e-14 x + y >= 1e-4 with x <= 1e11 needs x: dropping the term would lose it."""
        pool = VariablePool()
        x, y = pool.fresh("x", 0.0, 1e11), pool.fresh("y", -1.0, 0.0)
        query = Query.of(pool, [row({x: 1e-14, y: 1.0}, ">=", 1e-4)])
        for optimiser in OPTIMISERS:
            assert isinstance(optimiser.solve(query, TIMEOUT), Candidate)

    def test_a_row_of_small_coefficients_keeps_its_meaning(self) -> None:
        pool = VariablePool()
        x, y = pool.fresh_many("x", [-1.0, -1.0], [1.0, 1.0])
        for rhs, kind in ((1.5e-11, Candidate), (2.5e-11, Infeasible)):
            query = Query.of(pool, [row({x: 1e-11, y: 1e-11}, ">=", rhs)])
            for optimiser in OPTIMISERS:
                assert isinstance(optimiser.solve(query, TIMEOUT), kind), rhs

    def test_scaling_up_is_by_a_power_of_two(self) -> None:
        source = row({Variable(0): 3e-7, Variable(1): -1e-7}, "<=", 5e-7)
        ready = scaled(source, [-1.0, -1.0], [1.0, 1.0])
        assert ready is not None
        coefficients, low, high = ready
        factor = high / 5e-7
        assert np.log2(factor) == int(np.log2(factor))
        assert 0.5 <= np.abs(coefficients).max() < 1.0
        assert (coefficients == source.coefficients * factor).all()
        assert low == -inf
