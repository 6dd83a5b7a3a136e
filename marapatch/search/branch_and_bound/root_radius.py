"""A first lower end, by bounds alone."""

from __future__ import annotations

from time import monotonic

from marapatch.bounds.crown import cached_bounds
from marapatch.bounds.nodes import Nodes
from marapatch.bounds.subproblems import NodeBounder
from marapatch.problem.question import Question

PROBES = 12
"""Bisections at most."""

BISECTION_STEPS = 10
"""Supergradient steps of each."""

BISECTION_SHARE = 0.01
"""The bisection ends when what is left is this share of the radius that was not refuted."""


def bisect_radius(
    question: Question, low: float, high: float, tolerance: float, deadline: float, most: float
) -> tuple[float, Nodes | None, int]:
    """The largest radius between ``low`` and ``high`` that one node's bounds refute, by bisection
    with at most about ``most`` nodes.

    ``low``: what is known; it is returned with None where no more is found, else the radius and
    the node whose multipliers refute it; and how many nodes were bounded. In a smaller ball fewer
    neurons are unstable: the bounds are those of each ball tried.
    """
    best: Nodes | None = None
    count = 0
    while count < min(PROBES, most):
        if high - low <= max(tolerance, BISECTION_SHARE * high) or monotonic() >= deadline:
            break
        count += 1
        radius = 0.5 * (low + high)
        bounds = cached_bounds(question.form, question.ball.with_radius(radius), deadline)
        bounder = NodeBounder(question.form, bounds, question.condition)
        result = bounder.bound(bounder.root(bounds), BISECTION_STEPS, deadline)
        whole = bool(result.value[0] > 0.0)
        # Bounds over the ball tried hold in every smaller one, so that they may prove a part of the
        # way also where they do not refute the whole.
        proved = max(radius, float(result.radius[0])) if whole else float(result.radius[0])
        if proved > low:
            low, best = proved, result.nodes
        # That bounds fail at a radius proves nothing of it: it only ends the search there.
        high = high if whole else radius
    return low, best, count
