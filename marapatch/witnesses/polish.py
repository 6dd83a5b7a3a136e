"""Polish a witness: the nearest point of its linear region, then of the regions next to it.

With the activation pattern fixed the network is affine, and the nearest point of the region that
meets the condition is a linear program. Facets of the region that hold the optimum back are
stepped over while that brings it nearer (ARCHITECTURE: 6.4). Everything found is replayed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from time import monotonic

import numpy as np

from marapatch.bounds.bounds import Bounds
from marapatch.bounds.crown import linear_bounds
from marapatch.problem.question import Question
from marapatch.problem.verdict import Replayed
from marapatch.witnesses.linear_region import (
    Nearest,
    Pattern,
    Region,
    SlackProgram,
    fits,
    nearest_in_region,
    region,
)

LOOSENING = (1e-6, 1e-5, 1e-4, 1e-3)
"""By how much more, relatively, than the least distance a witness may use to gain its margin."""

LOOSENING_OF_ROOM = (1e-9, 1e-7, 1e-5)
"""And then, where the least distance is 0 or nearly so, as a share of the largest distance."""

FACETS = 12
"""How many facets of a region are tried, the most costly first."""


NUDGE_SHARE = 0.5
"""The share of the tolerance that a polished witness may cost more."""

NUDGES = (0.02, 0.1, 0.3, 1.0)
"""Shares of what a witness may cost more, tried in turn until onnxruntime decides it alike."""


def polish(
    question: Question, witness: Replayed, deadline: float, tolerance: float = 0.0
) -> Replayed:
    """The nearest witness reachable from ``witness`` over facets, at worst itself.

    ``deadline``: a :func:`time.monotonic` time at which linear programs are given up. Where the
    network is too large for regions (:func:`marapatch.witnesses.linear_region.fits`) the witness
    stays as it is. ``tolerance``: of the answer; one that onnxruntime decides otherwise is moved by
    less.
    """
    best = witness
    if not fits(question.form):
        return best
    while monotonic() < deadline:
        # Only nearer points are looked for, and what is stable over the ball at the witness needs
        # no row in a region: the nearer the witness, the smaller the programs.
        bounds = linear_bounds(question.form, question.ball.with_radius(best.distance), deadline)
        better = _descend(question, bounds, best, deadline)
        if better is None or better.distance >= best.distance:
            break
        # The next round costs bounds over the smaller ball, and a ball that is hardly smaller makes
        # hardly another neuron stable.
        much = better.distance < best.distance * (1.0 - 1e-5)
        best = better
        if not much:
            break
    if monotonic() < deadline:
        best = confirmed(question, best, best.distance + NUDGE_SHARE * tolerance, deadline)
    return best


def confirmed(question: Question, witness: Replayed, farthest: float, deadline: float) -> Replayed:
    """A witness near ``witness``, at most at ``farthest``, that onnxruntime decides alike: in the
    file's single precision a lead of 1e-8 is none. ``witness`` itself where it needs none, and
    where none is found.
    """
    if witness.confirmed is not False or farthest <= witness.distance or not fits(question.form):
        return witness
    x = witness.input.astype(np.float64).reshape(1, -1)
    pattern = tuple(z[0] > 0.0 for z in question.form.pre_activations(x)[0])
    bounds = linear_bounds(question.form, question.ball.with_radius(farthest), deadline)
    program = SlackProgram(question, region(question, pattern, bounds), deadline)
    for share in NUDGES:
        if monotonic() >= deadline:
            break
        deepest = program.at(witness.distance + share * (farthest - witness.distance))
        if deepest is not None and deepest.slack > 0.0:
            moved = question.replay(question.ball.centre + deepest.change)
            if moved is not None and moved.confirmed and moved.distance <= farthest:
                return moved
    return witness


def confirm(
    question: Question, here: Region, nearest: Nearest, deadline: float = inf
) -> Replayed | None:
    """A replayed witness near the optimum of a region: a little farther, for a strict margin.

    One that onnxruntime decides alike, in single precision, is preferred where there is one.
    """
    # The optimum lies where a row of the condition holds with equality, and so may well not replay:
    # a witness has to lead by more than the error of its evaluation.
    first = question.replay(question.ball.centre + nearest.change)
    if first is not None and first.confirmed is not False:
        return first
    program = SlackProgram(question, here, deadline)
    room = question.ball.radius if np.isfinite(question.ball.radius) else 1.0
    # A little farther out the deepest point has slack in every row. It may leave the ball over
    # which neurons were found stable, and so the region: replaying notices.
    farther = [nearest.distance * (1.0 + share) for share in LOOSENING]
    farther += [nearest.distance + share * room for share in LOOSENING_OF_ROOM]
    for distance in farther:
        if monotonic() >= deadline:
            break
        deepest = program.at(distance)
        if deepest is not None and deepest.slack > 0.0:
            witness = question.replay(question.ball.centre + deepest.change)
            if witness is not None and witness.confirmed is not False:
                return witness
            first = first or witness
    return first


def _descend(
    question: Question, bounds: Bounds, witness: Replayed, deadline: float
) -> Replayed | None:
    """Step from region to region while the least distance falls; the last replayed point."""
    x = witness.input.astype(np.float64).reshape(1, -1)
    pattern = tuple(z[0] > 0.0 for z in question.form.pre_activations(x)[0])
    best: Replayed | None = None
    here = region(question, pattern, bounds)
    nearest = nearest_in_region(question, here, witness.distance, deadline)
    while nearest is not None:
        # An optimum that does not replay is stepped on from all the same: that of the next region
        # may.
        best = confirm(question, here, nearest, deadline) or best
        following = None
        for other in _neighbours(pattern, here, nearest):
            if monotonic() >= deadline:
                return best
            there = region(question, other, bounds)
            # Nearer by more than rounding makes of one number, so that two regions with a common
            # optimum on their facet are not stepped between for ever.
            limit = nearest.distance * (1.0 - 1e-6)
            following = nearest_in_region(question, there, limit, deadline)
            if following is not None:
                pattern, here = other, there
                break
        nearest = following
    return best


def _neighbours(pattern: Pattern, here: Region, nearest: Nearest) -> Iterator[Pattern]:
    """Patterns across the facets that cost most, then all of those at once."""
    # The dual value of a row is how fast the least distance falls as the row is relaxed: a facet
    # without one does not hold the optimum back, and nothing is to be gained behind it.
    order = np.argsort(-nearest.dual_value)
    costly = [here.neuron[i] for i in order if nearest.dual_value[i] > 1e-9]
    # Rows of the condition (layer -1) are no facets of the activation pattern: there is no phase to
    # flip.
    flips = [n for n in costly if n[0] >= 0][:FACETS]
    for flip in flips:
        yield _flip(pattern, [flip])
    if len(flips) > 1:
        yield _flip(pattern, flips)


def _flip(pattern: Pattern, neurons: Sequence[tuple[int, int]]) -> Pattern:
    copy = [layer.copy() for layer in pattern]
    for layer, index in neurons:
        copy[layer][index] = ~copy[layer][index]
    return tuple(copy)
