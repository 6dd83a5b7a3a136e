"""The question of the least change, posed to the search: by weight, or by neuron for one input.

By neuron: with h entering the layer the pre-activation moves by ``dz_j = E_j . h``, and the least
``max |E_ji|`` that moves it so is ``|dz_j| / sum_i |h_i|`` (spread over all i with the sign of
h_i), the least ``sum |E_ji|`` is ``|dz_j| / max_i |h_i|`` (all on one i). So the least patch is the
least perturbation of the tail network at the pre-activation, in these units (ARCHITECTURE: 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
import scipy.sparse as sp

from marapatch.arithmetic.float_model import gamma
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.layers import Array
from marapatch.patching.changes import Changes, Sources
from marapatch.patching.goals import Clause
from marapatch.patching.marking import marked
from marapatch.patching.tail import Start, compose, stack_copies, with_goals
from marapatch.patching.verify_patch import PatchVerifier, Replays
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question


@dataclass(frozen=True, eq=False)
class PatchQuestion:
    """A question about a patch, in the units of the patch's norm; ``replays`` judges for it."""

    question: Question
    replays: Replays


def by_weight(
    verifier: PatchVerifier,
    sources: Sources,
    tail: StandardForm,
    clauses: tuple[Clause, ...],
    *,
    marks: bool = True,
) -> PatchQuestion:
    """One variable a number that may change, shared by one copy of the tail for each input.

    A number that acts on no input (all its sources certainly 0) needs no variable. Source:
    Goldberger et al., "Minimal Modifications of Deep Neural Networks using Verification",
    section 3.
    """
    changes = verifier.changes
    matrices = [changes.matrix(values) for values in sources.values]
    errors = [
        changes.error(values, error)
        for values, error in zip(sources.values, sources.values_error, strict=True)
    ]
    acting = sum(abs(m).sum(axis=0) + e.sum(axis=0) for m, e in zip(matrices, errors, strict=True))
    columns = np.flatnonzero(changes.free & (np.asarray(acting).reshape(-1) > 0.0))
    forms = []
    for i, (matrix, error) in enumerate(zip(matrices, errors, strict=True)):
        start = Start(
            sources.before[i],
            sources.before_error[i],
            sp.csr_array(matrix.tocsc()[:, columns]),
            sp.csr_array(error.tocsc()[:, columns]),
        )
        forms.append(compose(tail, start))

    def spread(vector: Array) -> Array:
        change = np.zeros(changes.numbers)
        change[columns] = vector
        return change

    replays = Replays(verifier, spread, lambda change: change[columns])
    ball = Ball(
        np.zeros(columns.size), changes.lower[columns], changes.upper[columns], verifier.norm, inf
    )
    return _formulated(stack_copies(forms), clauses, ball, replays, marks=marks)


def projectable(changes: Changes, inputs: int, norm: Norm) -> bool:
    """Whether :func:`by_neuron` poses the same question: one input, a dense layer, and no limit
    on single weights where these would make the cost of a neuron a knapsack (L1)."""
    return inputs == 1 and changes.dense and (norm is Norm.LINF or changes.unlimited)


def by_neuron(
    verifier: PatchVerifier,
    sources: Sources,
    tail: StandardForm,
    clauses: tuple[Clause, ...],
    *,
    marks: bool = True,
) -> PatchQuestion:
    """One variable a neuron of the layer; exact where :func:`projectable` (see the module).

    The scale of a neuron is rounded up, so that what is refuted here is refuted for weights.
    """
    changes = verifier.changes
    h, error = sources.values[0], sources.values_error[0]
    if changes.bias.size:
        h, error = np.append(h, 1.0), np.append(error, 0.0)
    free = _by_row(changes, changes.free.astype(np.float64)) > 0.0
    limit = _by_row(changes, np.where(changes.free, changes.upper, 0.0)).max(axis=1, initial=0.0)
    size = np.where(free, np.abs(h), 0.0)
    most = np.where(free, np.abs(h) + error, 0.0)
    best = size.argmax(axis=1)
    if verifier.norm is Norm.LINF:
        scale = most.sum(axis=1) * (1.0 + gamma(h.size + 4))
    else:
        scale = most.max(axis=1, initial=0.0) * (1.0 + gamma(4))
    start = Start(
        sources.before[0],
        sources.before_error[0],
        sp.csr_array(np.diag(scale)),
        sp.csr_array((scale.size, scale.size)),
    )

    def spread(vector: Array) -> Array:
        if verifier.norm is Norm.LINF:
            moved = vector[:, None] * np.where(free, np.sign(h), 0.0)
        else:
            moved = np.zeros(free.shape)
            rows = np.arange(free.shape[0])
            moved[rows, best] = vector * np.sign(h[best])
        return _from_rows(changes, moved)

    def seen(change: Array) -> Array:
        return np.asarray((_by_row(changes, change) @ h) / np.where(scale > 0.0, scale, 1.0))

    reach = np.where(scale > 0.0, limit, 0.0)
    ball = Ball(np.zeros(scale.size), -reach, reach, verifier.norm, inf)
    form = compose(tail, start)
    return _formulated(form, clauses, ball, Replays(verifier, spread, seen), marks=marks)


def _by_row(changes: Changes, numbers: Array) -> Array:
    """The layer's numbers by neuron: (outputs, inputs), and a last column for the biases."""
    weight, bias = changes.split(numbers)
    return np.asarray(np.hstack([weight, bias[:, None]]) if bias.size else weight)


def _from_rows(changes: Changes, rows: Array) -> Array:
    inputs = changes.layer.inputs
    return np.concatenate([rows[:, :inputs].reshape(-1), rows[:, inputs:].reshape(-1)])


def _formulated(
    form: StandardForm, clauses: tuple[Clause, ...], ball: Ball, replays: Replays, *, marks: bool
) -> PatchQuestion:
    form, condition = with_goals(form, clauses)
    if marks:
        ball = marked(form, condition, ball)
    return PatchQuestion(Question(form, ball, condition, replays), replays)
