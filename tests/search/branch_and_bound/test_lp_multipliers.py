"""Multipliers of linear programs: where they are sought they are no worse, and still proofs."""

from __future__ import annotations

from fractions import Fraction
from math import inf
from time import monotonic

from exact_optimum import nearest
from small_networks import small_case

from marapatch.bounds.crown import linear_bounds
from marapatch.bounds.nodes import Bounded
from marapatch.bounds.subproblems import NodeBounder
from marapatch.problem.norm import Norm
from marapatch.search.branch_and_bound.lp_multipliers import LpMultipliers


def roots() -> list[tuple[Fraction, NodeBounder, Bounded]]:
    """Roots just beyond the exact optimum, bounded by few steps."""
    found = []
    for seed in range(24):
        case = small_case(seed)
        best = nearest(case.network.standard_form, case.ball, case.condition, case.witnessed)
        if best is None or not best.exact or best.distance == 0:
            continue
        ball = case.ball.with_radius(1.2 * float(best.distance))
        bounds = linear_bounds(case.network.standard_form, ball)
        bounder = NodeBounder(case.network.standard_form, bounds, case.condition)
        found.append((best.distance, bounder, bounder.bound(bounder.root(bounds), 2)))
    return found


def test_what_they_prove_is_more_and_never_too_much() -> None:
    better = 0
    for optimum, bounder, result in roots():
        after, bases = LpMultipliers(bounder).better(result, [None], inf)
        assert len(bases) == len(after.nodes) == 1
        assert after.value[0] <= 0.0  # there is a witness in the ball
        assert Fraction(float(after.radius[0])) <= optimum
        better += after.value[0] > result.value[0] + 1e-12
    assert better > 3


def test_without_time_nothing_changes() -> None:
    _, bounder, result = roots()[0]
    after, bases = LpMultipliers(bounder).better(result, ["a basis"], monotonic() - 1.0)
    assert after is result
    assert bases == ["a basis"]


def test_a_node_with_many_open_phases_is_left_to_the_steps_in_linf() -> None:
    many = [r for r in roots() if r[1].ball.norm is Norm.LINF and r[2].nodes.unstable.sum() > 6]
    for _, bounder, result in many:
        after, _ = LpMultipliers(bounder).better(result, [None], inf)
        assert after is result
    assert many
