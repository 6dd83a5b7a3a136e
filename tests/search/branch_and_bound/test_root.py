"""The root of a tree: what it proves lies below the exact optimum, and is recorded."""

from __future__ import annotations

from fractions import Fraction
from math import inf
from time import monotonic

import pytest
from exact_optimum import nearest
from small_networks import small_case

from marapatch.search.branch_and_bound.root import ROOT_ROUNDS, bound_root
from marapatch.search.tree_record import NOBODY, Recorder

SEEDS = range(30)


def test_the_floor_of_the_root_is_never_beyond_the_optimum() -> None:
    proved = 0
    for seed in SEEDS:
        case = small_case(seed)
        best = nearest(case.network.standard_form, case.ball, case.condition, case.witnessed)
        if best is None or not best.exact or best.distance == 0:
            continue
        target = 1.5 * float(best.distance)
        root = bound_root(case.question, 0.0, target, 1e-6, inf, inf, NOBODY)
        assert Fraction(root.floor) <= best.distance
        assert root.result.value[0] <= 0.0  # there is a witness within the target
        assert Fraction(float(root.result.radius[0])) <= best.distance
        assert (root.floor_proof is not None) == (root.floor > 0.0)
        proved += root.floor > 0.0
    assert proved > 5


def test_what_is_well_below_the_optimum_is_mostly_refuted_whole() -> None:
    refuted = tried = 0
    for seed in SEEDS:
        case = small_case(seed, ("plain",))
        best = nearest(case.network.standard_form, case.ball, case.condition, case.witnessed)
        if best is not None and best.exact and best.distance > 0:
            target = 0.05 * float(best.distance)
            root = bound_root(case.question, 0.0, target, 1e-9, inf, inf, NOBODY)
            refuted += bool(root.result.value[0] > 0.0)
            tried += 1
    assert tried > 10
    assert refuted > 0.7 * tried


def test_every_round_is_told_to_the_observer_and_counted() -> None:
    case = small_case(2, ("plain",))
    recorder = Recorder()
    root = bound_root(case.question, 0.0, case.ball.covering_radius, 1e-6, inf, inf, recorder)
    assert len(recorder.rounds) <= ROOT_ROUNDS
    assert root.bounded >= 1 + len(recorder.rounds)


@pytest.mark.parametrize("limits", [(-1.0, inf), (inf, 1)])
def test_out_of_time_or_of_nodes_one_node_is_bounded(limits: tuple[float, float]) -> None:
    case = small_case(2, ("plain",))
    left, most = limits
    deadline = monotonic() + left
    root = bound_root(case.question, 0.0, case.ball.covering_radius, 1e-6, deadline, most, NOBODY)
    assert root.bounded == 1
    assert root.floor == 0.0
