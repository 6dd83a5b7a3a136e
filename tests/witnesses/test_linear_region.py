"""The nearest point of a linear region, by programs fresh and warm."""

from __future__ import annotations

from dataclasses import replace

import exact_optimum as exact
import exact_values
import numpy as np
import pytest
from regions_of_cases import holds
from small_networks import small_case

from marapatch.bounds.crown import linear_bounds
from marapatch.linear_programs.warm import LinearProgram
from marapatch.witnesses.linear_region import SlackProgram, nearest_in_region, region
from marapatch.witnesses.polish import confirm


@pytest.mark.parametrize("seed", range(12))
def test_the_nearest_point_of_a_region_is_its_nearest(seed: int) -> None:
    """Against the vertex found in fractions, within the pattern of the optimum."""
    case = small_case(seed, ("plain",))
    form = case.network.standard_form
    optimum = exact.nearest(form, case.ball, case.condition, case.witnessed)
    if optimum is None or not optimum.exact:
        pytest.skip("no optimum to compare with")
    distance = float(optimum.distance)
    ball = case.ball.with_radius(min(2.0 * distance, case.ball.covering_radius))
    question = replace(case.question, ball=ball)
    bounds = linear_bounds(form, ball)
    pattern = tuple(
        np.array([v > 0 for v in z]) for z in exact_values.evaluate(form, optimum.point)[0]
    )
    here = region(question, pattern, bounds)
    found = nearest_in_region(question, here, 2.0 * distance)
    if found is not None:  # at the vertex some phases are open: its pattern may be a neighbour's
        assert found.distance >= distance * (1.0 - 1e-6)
        witness = confirm(question, here, found)
        assert witness is None or holds(case, witness)
        deepest = SlackProgram(question, here).at(2.0 * distance)
        assert deepest is not None
        assert deepest.slack >= -1e-9
    assert nearest_in_region(question, here, 0.99 * distance) is None


def test_a_program_that_highs_refuses_has_no_solution() -> None:
    program = LinearProgram(
        np.eye(2),
        (np.zeros(2), np.ones(2)),
        (np.zeros(2), np.ones(2)),
        np.ones(2),
    )
    assert program.solve() is not None
    crossed = (np.array([0.0, np.inf]), np.array([1.0, np.inf]))
    program.bound(*crossed)
    assert program.solve() is None  # HiGHS keeps the old bounds: its optimum would be of those
    infinite = np.array([[np.inf, 0.0], [0.0, 1.0]])
    box = np.zeros(2), np.ones(2)
    assert LinearProgram(infinite, box, box, np.ones(2)).solve() is None


def test_a_warm_program_gives_what_a_fresh_one_gives() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        matrix = rng.normal(size=(6, 4))
        cost = rng.normal(size=4)
        box = (-np.ones(4), np.ones(4))
        warm = LinearProgram(matrix, (np.full(6, -1.0), np.ones(6)), box, cost)
        for _ in range(5):
            middle = matrix @ rng.uniform(-1, 1, 4)
            rows = middle - rng.random(6) * (rng.random() < 0.8), middle + rng.random(6)
            low = -rng.random(4)
            warm.bound_rows(*rows)
            warm.bound(low, box[1])
            fresh = LinearProgram(matrix, rows, (low, box[1]), cost).solve()
            found = warm.solve()
            assert (found is None) == (fresh is None)
            if found is not None and fresh is not None:
                assert found.objective == pytest.approx(fresh.objective, abs=1e-7)
