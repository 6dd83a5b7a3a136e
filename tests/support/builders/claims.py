"""Recorded trees and what is claimed of them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import exact_optimum as exact
import numpy as np
import scipy.sparse as sp

from marapatch.certificates.recheck import recheck_tree
from marapatch.network.affine_relu.standard_form import AffineMap
from marapatch.network.graph import dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import Rule, beats
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question
from marapatch.problem.replay import Replay
from marapatch.search.tree_record import TreeRecord

NEAR = 1e-7
"""The multipliers are recorded in float32."""


def optimum(question: Question, within: float = np.inf) -> Fraction | float:
    """The exact distance; infinite where there is none, NaN where it could not be verified."""
    found = exact.nearest(question.form, question.ball, question.condition, within)
    if found is None:
        return np.inf
    return found.distance if found.exact else np.nan


def proved(record: TreeRecord, question: Question) -> float:
    checked = recheck_tree(record, question.form, question.ball, question.condition)
    assert checked.radius <= checked.given <= record.radius
    return checked.radius


def beyond(radius: float, distance: Fraction | float) -> bool:
    """Whether ``radius`` is more than ``distance``: a false claim."""
    return bool(np.isfinite(float(distance)) and Fraction(radius) > distance)


def plain_claim() -> Question:
    rng = np.random.default_rng(7)
    weights = [rng.normal(size=(3, 2)), rng.normal(size=(3, 3)), rng.normal(size=(3, 3))]
    network = dense_network(weights, [np.zeros(3)] * 3)
    ball = Ball(np.full(2, 0.5), np.zeros(2), np.ones(2), Norm.LINF, np.inf)
    condition = beats(0, 3, Rule.ARGMAX)
    replay = Replay(network, ball, condition)
    return Question(
        network.standard_form, ball.with_radius(ball.covering_radius), condition, replay
    )


def sparsely(layer: AffineMap) -> AffineMap:
    """The same map, its coefficients in sparse matrices."""
    return replace(
        layer,
        weights=tuple(sp.csr_array(np.asarray(weight)) for weight in layer.weights),
        weight_errors=tuple(e if e is None else sp.csr_array(e) for e in layer.weight_errors),
    )
