"""A first witness: gradient steps within a radius that grows until every row is met.

Shapes: P points side by side, I inputs, R rows; points and gradients (P, I), slacks (P, R). Points
start from no change and are projected onto a ball around 0.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from time import monotonic

import numpy as np
import scipy.sparse as sp

from marapatch.network.layers import Array
from marapatch.problem.norm import Norm, simplex_threshold
from marapatch.problem.question import Question
from marapatch.problem.verdict import Replayed

RADIUS_GROWTH = 1.5
RADII = 60
"""The radius grows by up to ``RADIUS_GROWTH ** RADII``, more than 1e10."""

SPARSE_SECONDS = 5.0
SPARSE_RADII = 20
"""For sparse steps, before dense ones are tried: seconds where the time is limited, and radii."""

GRADIENT_STEPS = 40
STARTS = 4
"""Gradient steps at one radius, and random starts beside the one at the centre."""

MEMORY = 20_000_000
"""Numbers of all starts together; fewer starts where they would be more."""


def first_witness(question: Question, deadline: float, seed: int = 0) -> Replayed | None:
    """A replayed witness, not far from the nearest where gradients lead there; None if none found.

    Maximises the sum of the unmet rows by normalised steps, projected onto ball and box, at radii
    that grow from a first-order estimate. Where that fails for L1 in half of the time, or where
    the deadline is infinite at :data:`SPARSE_RADII` radii, dense steps
    (those for L-infinity) look for any witness. Deterministic for ``seed`` unless time runs out.
    """
    if question.ball.norm is Norm.LINF:
        return _search(question, deadline, seed)
    now = monotonic()
    half = now + min(0.5 * (deadline - now), SPARSE_SECONDS) if deadline < inf else inf
    found = _search(question, half, seed, SPARSE_RADII if deadline == inf else RADII)
    if found is not None:
        return found
    dense = replace(question, ball=replace(question.ball, norm=Norm.LINF))
    return _search(dense, deadline, seed)


def _search(question: Question, deadline: float, seed: int, rounds: int = RADII) -> Replayed | None:
    rng = np.random.default_rng(seed)
    size = question.form.inputs
    starts = max(1, min(STARTS + 1, MEMORY // max(1, sum(question.form.sizes))))
    radius = estimate(question)
    if radius == inf:
        return None
    whole = question.ball.covering_radius
    points = np.zeros((starts, size))
    for _ in range(rounds):
        radius = min(radius, whole)
        # The first start goes on from where the smaller radius left it. The others are drawn anew,
        # so that a way that led nowhere is not followed again at every radius.
        points[1:] = projected(question, rng.normal(size=points[1:].shape) * radius, radius)
        for step in range(GRADIENT_STEPS):
            if monotonic() >= deadline:
                return None
            worst, gradient = ascent(question, points)
            witness = _try(question, points, worst)
            if witness is not None:
                return witness
            # The first step crosses half of the ball. A fixed length would jump to and fro over a
            # facet, and one that fell to 0 would stand still, so later ones shrink to a share of
            # the radius.
            eta = radius * max(0.02, 0.5 * 0.9**step)
            points = projected(question, points + eta * _spread(question, gradient), radius)
        # The ball holds the whole box by now: a larger radius would ask the same again.
        if radius >= whole:
            return None
        radius *= RADIUS_GROWTH
    return None


def shrink(question: Question, witness: Replayed, deadline: float) -> Replayed:
    """A nearer witness by gradient steps within radii that shrink while they succeed.

    For L1 two points take each step: the witness scaled into the ball, and its nearest point there,
    which is sparse.
    """
    factor = 0.5
    while factor < 0.99 and monotonic() < deadline:
        radius = factor * witness.distance
        start = witness.input[None].astype(np.float64)
        points = projected(question, start, radius)
        if question.ball.norm is Norm.L1:
            points = np.vstack([points, nearest_l1(question, start, radius)])
        better = None
        for step in range(GRADIENT_STEPS):
            worst, gradient = ascent(question, points)
            if worst.max() > 0.0:
                better = _try(question, points, worst)
                break
            eta = radius * max(0.005, 0.1 * 0.9**step)
            points = points + eta * direction(question, gradient)
            # The first row is scaled, the others move to their nearest points. For L-infinity there
            # are no others, and what is stacked is that one row.
            scaled = projected(question, points[:1], radius)
            points = np.vstack([scaled, nearest_l1(question, points[1:], radius)])
        if better is not None and better.distance < witness.distance:
            witness = better
        else:
            # Without success less is asked: halfway back to the witness's own distance. A factor
            # that led to a nearer one is tried again, so the distance falls geometrically.
            factor = 0.5 * (1.0 + factor)
    return witness


def estimate(question: Question) -> float:
    """The first-order estimate of the least radius, from the centre: infinite where no entry of
    the gradient of an unmet row can move."""
    form, centre = question.form, question.ball.centre
    z, outputs = form.pre_activations(centre[None])
    slack = question.condition.slack(outputs)[0]
    rows = question.condition.matrix
    pattern = [np.repeat(layer > 0.0, rows.shape[0], axis=0) for layer in z]
    gradient = form.pullback(pattern, rows)
    # To first order, and by Hoelder, a change of norm r raises a row by at most r times the dual
    # norm of its gradient, taken over the directions that the box leaves open. A row missed by m
    # needs r >= m / dual, and all rows are to be met: the largest of these counts.
    displacement_bounds = question.ball.with_radius(inf).displacement_bounds
    dual = question.ball.norm.dual(
        gradient
        * np.where(gradient > 0.0, displacement_bounds[1] > 0.0, displacement_bounds[0] > 0.0)
    )
    unmet = slack < 0.0
    if not unmet.any():
        return 1e-9
    movable = unmet & (dual > 0.0)
    if not movable.any():
        return _first_switch(question)
    return float((-slack[movable] / dual[movable]).max())


def _first_switch(question: Question) -> float:
    """About the radius at which neurons that the change reaches first change their phase: where
    no gradient leads from the centre, nothing nearer can help. Infinite where none is reached."""
    form, centre = question.form, question.ball.centre
    z = [layer[0] for layer in form.pre_activations(centre[None])[0]]
    radii = []
    for layer, values in zip(form.hidden, z, strict=True):
        if 0 not in layer.sources:
            continue
        weight = abs(layer.weights[layer.sources.index(0)])
        # A change of norm r moves z_j by at most r times the dual norm of its weights, so that
        # neuron j keeps its phase within |z_j| / dual. At the median of these half of them may have
        # left theirs.
        over = weight.sum(axis=1) if question.ball.norm is Norm.LINF else weight.max(axis=1)
        dual = np.asarray(over.toarray() if sp.issparse(over) else over).reshape(-1)
        radii.append(np.abs(values[dual > 0.0]) / dual[dual > 0.0])
    found = np.concatenate([np.zeros(0), *radii])
    return float(np.median(found[found > 0.0])) if (found > 0.0).any() else inf


def ascent(question: Question, points: Array, cushion: Array | float = 0.05) -> tuple[Array, Array]:
    """The least slack of each point, and the gradient of the sum of its unmet rows.

    ``cushion``: a row counts as met from this share of the point's largest slack on; one for all
    points or (points, 1).
    """
    form, condition = question.form, question.condition
    z, outputs = form.pre_activations(points)
    slack = condition.slack(outputs)
    # A row that is met by little still counts as unmet, since what lies on the edge in float64 may
    # fail when it is replayed. 1e-300 keeps a point whose slacks are all 0 from 0 / 0.
    scale = np.abs(slack).max(axis=1, keepdims=True) + 1e-300
    unmet = np.minimum(slack - cushion * scale, 0.0)
    # Rows weigh by how far they are missed, and 0.2 more: else one that is nearly met would be
    # given up for the sake of one far away.
    weights = np.where(unmet < 0.0, 0.2 - unmet / scale, 0.0)
    gradient = form.pullback([layer > 0.0 for layer in z], weights @ condition.matrix)
    return np.asarray(slack.min(axis=1)), gradient


def _spread(question: Question, gradient: Array) -> Array:
    """:func:`direction`, for L1 from one start to the next less on the steepest entries only."""
    step = direction(question, gradient)
    if question.ball.norm is Norm.L1 and len(gradient) > 1:
        step[1::2] = direction(question, gradient[1::2], power=1)
    return step


def direction(question: Question, gradient: Array, power: int = 3) -> Array:
    """The step of norm about 1 along the gradient; for L1 most of it on the steepest entries."""
    if question.ball.norm is Norm.LINF:
        return np.sign(gradient)
    # The power is taken of shares of the largest entry, in [0, 1]: of the gradient itself it might
    # overflow, or leave nothing.
    top = np.maximum(np.abs(gradient).max(axis=1, keepdims=True), 1e-300)
    share = (np.abs(gradient) / top) ** power * np.sign(gradient)
    return np.asarray(share / np.maximum(np.abs(share).sum(axis=1, keepdims=True), 1e-300))


def projected(question: Question, points: Array, radius: float) -> Array:
    """Points moved into the box, and into the ball by clipping (L-infinity) or scaling (L1)."""
    ball = question.ball
    inside = np.clip(points, ball.lower, ball.upper)
    if ball.norm is Norm.LINF:
        return np.clip(inside, -radius, radius)
    # The box holds 0, so a point scaled towards 0 stays in it. The maximum leaves points that are
    # in the ball already where they are.
    total = np.abs(inside).sum(axis=1, keepdims=True)
    return np.asarray(inside * (radius / np.maximum(total, radius)))


def nearest_l1(question: Question, points: Array, radius: float) -> Array:
    """Points clipped to the box and moved to the nearest ones of the L1 ball: entries shrink by
    one threshold a point, and the smallest become 0."""
    inside = np.clip(points, question.ball.lower, question.ball.upper)
    size = np.abs(inside)
    # A threshold below 0 says that the point is inside the ball: nothing has to shrink then, and
    # nothing may grow.
    threshold = np.maximum(simplex_threshold(size, radius), 0.0)
    return np.asarray(np.sign(inside) * np.maximum(size - threshold[:, None], 0.0))


def _try(question: Question, points: Array, worst: Array) -> Replayed | None:
    # Replaying bounds the evaluation's error, or evaluates exactly: it is asked only where plain
    # float64 finds every row strictly met.
    best = int(worst.argmax())
    return question.replay(points[best]) if worst[best] > 0.0 else None
