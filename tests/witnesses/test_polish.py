"""Polishing never makes a witness worse, and on small networks mostly makes it the nearest."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from math import inf
from time import monotonic

import exact_optimum as exact
import numpy as np
import pytest
from regions_of_cases import holds
from small_networks import KINDS, Case, small_case

from marapatch.problem.norm import PROVED
from marapatch.problem.verdict import Witness
from marapatch.witnesses.polish import polish


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
