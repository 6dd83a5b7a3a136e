"""A first lower end by bounds alone: below the optimum, and no less than what was known."""

from __future__ import annotations

from fractions import Fraction
from math import inf
from time import monotonic

from exact_optimum import nearest
from small_networks import small_case

from marapatch.search.branch_and_bound.root_radius import PROBES, bisect_radius


def test_what_is_found_lies_between_what_is_known_and_the_optimum() -> None:
    better = 0
    for seed in range(30):
        case = small_case(seed)
        best = nearest(case.network.standard_form, case.ball, case.condition, case.witnessed)
        if best is None or not best.exact or best.distance == 0:
            continue
        low, high = 0.01 * float(best.distance), 1.5 * float(best.distance)
        found, node, count = bisect_radius(case.question, low, high, 1e-9, inf, inf)
        assert low <= found
        assert Fraction(found) <= best.distance
        assert (node is None) == (found == low)
        assert 1 <= count <= PROBES
        better += found > low
    assert better > 10


def test_nothing_is_tried_without_time_nodes_or_a_gap() -> None:
    question = small_case(0).question
    far = question.ball.covering_radius
    assert bisect_radius(question, 0.1, far, 1e-9, monotonic(), inf) == (0.1, None, 0)
    assert bisect_radius(question, 0.1, far, 1e-9, inf, 0) == (0.1, None, 0)
    assert bisect_radius(question, 0.1, 0.1005, 1e-9, inf, inf) == (0.1, None, 0)
