"""A first lower end, by bounds alone."""

from __future__ import annotations

from time import monotonic

from marapatch.bounds.linear import remembered_bounds
from marapatch.bounds.nodes import NodeBounder, Nodes
from marapatch.question import Question

PROBES = 12
"""Bisections at most."""

STEPS = 10
"""Supergradient steps of each."""

SHARE = 0.01
"""The bisection ends when what is left is this share of the radius that was not refuted."""


def probe(
    question: Question, low: float, high: float, tolerance: float, deadline: float
) -> tuple[float, Nodes | None]:
    """The largest radius between ``low`` and ``high`` that one node's bounds refute, by bisection.

    ``low``: what is known; it is returned with None where no more is found, else the radius and
    the node whose multipliers refute it. In a smaller ball fewer neurons are unstable: the bounds
    are those of each ball tried.
    """
    best: Nodes | None = None
    for _ in range(PROBES):
        if high - low <= max(tolerance, SHARE * high) or monotonic() >= deadline:
            break
        radius = 0.5 * (low + high)
        bounds = remembered_bounds(question.form, question.ball.at(radius), deadline)
        bounder = NodeBounder(question.form, bounds, question.condition)
        result = bounder.bound(bounder.root(bounds), STEPS, deadline)
        whole = bool(result.value[0] > 0.0)
        proved = max(radius, float(result.radius[0])) if whole else float(result.radius[0])
        if proved > low:
            low, best = proved, result.nodes
        high = high if whole else radius
    return low, best
