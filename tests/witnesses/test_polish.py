"""Polishing never makes a witness worse, and on small networks mostly makes it the nearest."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from math import inf
from time import monotonic

import exact_optimum as exact
import numpy as np
import pytest
from small_networks import KINDS, Case, small_case

from marapatch.bounds.crown import linear_bounds
from marapatch.linear_programs.warm import LinearProgram
from marapatch.problem.norm import PROVED, Norm
from marapatch.problem.verdict import Witness
from marapatch.witnesses.linear_region import SlackProgram, nearest_in_region, region
from marapatch.witnesses.polish import confirm, polish


def first_witness(case: Case, rng: np.random.Generator) -> Witness | None:
    """A witness found by sampling, far from the best on purpose."""
    question = case.question
    samples = rng.uniform(case.ball.lower, case.ball.upper, (500, case.network.inputs))
    met = case.condition.worst(case.network.evaluate(samples)) > 0.0
    for x in samples[met]:
        witness = question.replay(x)
        if witness is not None:
            return witness
    return None


def holds(case: Case, witness: Witness) -> bool:
    """Whether the witness meets the condition in real arithmetic and lies where it says."""
    x = exact.fractions(witness.input.reshape(-1))
    outputs = exact.evaluate(case.network.standard_form, x)[1]
    centre = exact.fractions(case.ball.centre)
    away = [abs(a - c) for a, c in zip(x, centre, strict=True)]
    distance = max(away) if case.ball.norm is Norm.LINF else sum(away)
    inside = ((witness.input >= case.ball.lower) & (witness.input <= case.ball.upper)).all()
    rivals = [y for i, y in enumerate(outputs) if i != case.target]
    return bool(inside) and outputs[case.target] > max(rivals) and distance <= witness.distance


@pytest.mark.parametrize("kind", KINDS)
def test_polish_is_never_worse_and_always_replayed(kind: str) -> None:
    rng = np.random.default_rng(0)
    tried, better, nearest = 0, 0, Counter[str]()
    for seed in range(14):
        case = small_case(seed, (kind,))
        start = first_witness(case, rng)
        if start is None:
            continue
        polished = polish(case.question, start, inf)
        assert polished.distance <= start.distance
        assert holds(case, polished)
        tried += 1
        better += polished.distance < start.distance
        optimum = exact.nearest(
            case.network.standard_form, case.ball, case.condition, start.distance
        )
        assert optimum is not None
        if optimum.exact:
            assert Fraction(polished.distance) >= optimum.distance * (1 - Fraction(1, 10**9))
            hit = polished.distance <= float(optimum.distance) * (1.0 + 2e-5)
            nearest[f"{case.ball.norm.value} {hit}"] += 1
    assert tried > 2
    assert better >= 0.8 * tried
    for norm in PROVED:
        hits, misses = nearest[f"{norm.value} True"], nearest[f"{norm.value} False"]
        assert misses <= 1 + 0.4 * (hits + misses)


def test_a_polished_witness_is_left_alone() -> None:
    rng = np.random.default_rng(1)
    for seed in range(6):
        case = small_case(seed, ("plain",))
        start = first_witness(case, rng)
        if start is None:
            continue
        once = polish(case.question, start, inf)
        twice = polish(case.question, once, inf)
        assert once.distance * (1.0 - 1e-4) <= twice.distance <= once.distance


def test_without_time_the_start_is_given_back() -> None:
    case = small_case(0, ("plain",))
    start = first_witness(case, np.random.default_rng(0))
    assert start is not None
    assert polish(case.question, start, monotonic() - 1.0) is start


def test_where_nothing_replays_the_start_is_given_back() -> None:
    case = small_case(0, ("plain",))
    start = first_witness(case, np.random.default_rng(0))
    assert start is not None
    assert polish(replace(case.question, replay=lambda x: None), start, inf) is start


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
    pattern = tuple(np.array([v > 0 for v in z]) for z in exact.evaluate(form, optimum.point)[0])
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


def test_somebody_elses_threads_of_highs_do_not_end_ours() -> None:
    """HiGHS fails where another number of threads is asked for than its first run in a process."""
    program = """
import highspy, numpy as np
from marapatch.linear_programs.warm import LinearProgram
other = highspy.Highs()
other.setOptionValue("output_flag", False)
other.setOptionValue("threads", 2)
other.addVar(0.0, 1.0)
other.run()
box = np.zeros(2), np.ones(2)
print(LinearProgram(np.eye(2), box, box, np.ones(2)).solve() is not None)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "True"
