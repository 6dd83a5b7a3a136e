"""The least change of a layer as a :class:`Question`, formulated by weight or by neuron.

By weight: one variable a number that may change. Source: Goldberger, Katz, Adi, Keshet, "Minimal
Modifications of Deep Neural Networks using Verification", LPAR-23, section 3.

By neuron, for one input: with h entering the layer the pre-activation moves by ``dz_j = E_j . h``,
and by Hoelder's inequality ``|dz_j| <= max_i |E_ji| * sum_i |h_i|`` and ``|dz_j| <= sum_i |E_ji| *
max_i |h_i|``, both attained. So the least ``max |E_ji|`` that moves it so is ``|dz_j| / sum |h_i|``
(spread over all i with the sign of h_i), the least ``sum |E_ji|`` is ``|dz_j| / max |h_i|`` (all on
one i), and the least patch is the least perturbation of the tail network at the pre-activation, in
these units (ARCHITECTURE: 2).

Shapes, here and in the modules around: n inputs; I numbers enter the layer and J leave it (I
inputs, J neurons); N numbers of the layer (its weights, flat, then its biases), of which V are
variables; K outputs of the network; R rows of a condition.

    h          sources.values[i]    (I,)        what enters, for input i
    z          sources.before[i]    (J,)        pre-activations before any change
    E          a change             (N,)        new numbers minus old ones
    x          a search's vector    (V,)        by weight: E on its free, acting entries
                                    (J,)        by neuron: dz / scale, in units of the norm
    matrix     of Start             (J, V)      how z moves with x: z + matrix @ x
    condition  of the question      (R, n K)    over the outputs of all n copies of the tail
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
import scipy.sparse as sp

from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.cut import tail
from marapatch.network.layers import Array
from marapatch.patching.free_weights import FreeWeights, Sources, sources
from marapatch.patching.goals import Clause
from marapatch.patching.marking import marked
from marapatch.patching.tail import Start, compose, stack_copies, with_goals
from marapatch.patching.verify_patch import PatchVerifier, Replays
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question


@dataclass(frozen=True, eq=False)
class PatchProblem:
    """A patch problem as a search meets it: what is asked, and what its layer stands between.

    ``verifier``: network, layer, inputs, goals and norm, and what alone makes a patch count.
    ``sources``: what enters and leaves the layer for each input. ``tail``: the network behind it.
    """

    verifier: PatchVerifier
    sources: Sources
    tail: StandardForm

    @staticmethod
    def of(verifier: PatchVerifier) -> PatchProblem:
        """Evaluate the part before the layer on every input, and cut off the part behind it."""
        network, layer = verifier.network, verifier.weights.layer
        entering = sources(network, layer, verifier.inputs.astype(np.float64))
        return PatchProblem(verifier, entering, tail(network, layer.number))

    def take(self, i: int) -> PatchProblem:
        """The problem of input ``i`` alone."""
        return PatchProblem(self.verifier.take(i), self.sources.take(i), self.tail)

    @property
    def weights(self) -> FreeWeights:
        """The numbers of the layer that may change."""
        return self.verifier.weights

    @property
    def projectable(self) -> bool:
        """Whether :func:`by_neuron` asks the same as :func:`by_weight`."""
        return projectable(self.weights, len(self.sources), self.verifier.norm)


@dataclass(frozen=True, eq=False)
class PatchQuestion:
    """A question about a patch, in the units of the patch's norm; ``replays`` verifies for it."""

    question: Question
    replays: Replays


def by_weight(
    problem: PatchProblem, clauses: tuple[Clause, ...], *, marks: bool = True
) -> PatchQuestion:
    """One variable a number that may change, shared by one copy of the tail for each input.

    A number that acts on no input (all its sources certainly 0) needs no variable. Exact up to the
    errors that the forms carry. Cost: V variables; n times the tail's ReLUs and rows.
    """
    weights, entering, norm = problem.weights, problem.sources, problem.verifier.norm
    matrices = [weights.matrix(values) for values in entering.values]
    errors = [
        weights.error(values, error)
        for values, error in zip(entering.values, entering.values_error, strict=True)
    ]
    # A number all of whose sources are certainly 0, error included, moves nothing: without a
    # variable for it nothing is lost. An error above 0 means that it may act, so it stays.
    acting = sum(abs(m).sum(axis=0) + e.sum(axis=0) for m, e in zip(matrices, errors, strict=True))
    columns = np.flatnonzero(weights.free & (np.asarray(acting).reshape(-1) > 0.0))
    forms = []
    for i, (matrix, error) in enumerate(zip(matrices, errors, strict=True)):
        start = Start(
            entering.before[i],
            entering.before_error[i],
            sp.csr_array(matrix.tocsc()[:, columns]),
            sp.csr_array(error.tocsc()[:, columns]),
        )
        forms.append(compose(problem.tail, start))

    def spread(vector: Array) -> Array:
        change = np.zeros(weights.numbers)
        change[columns] = vector
        return change

    replays = Replays(problem.verifier, spread, lambda change: change[columns])
    ball = Ball(np.zeros(columns.size), weights.lower[columns], weights.upper[columns], norm, inf)
    return _formulated(stack_copies(forms), clauses, ball, replays, marks=marks)


def projectable(weights: FreeWeights, inputs: int, norm: Norm) -> bool:
    """Whether :func:`by_neuron` asks the same as :func:`by_weight`: one input, a dense layer, and
    no limit on single weights where these would make the cost of a neuron a knapsack (L1)."""
    return inputs == 1 and weights.dense and (norm is Norm.LINF or weights.unlimited)


def by_neuron(
    problem: PatchProblem, clauses: tuple[Clause, ...], *, marks: bool = True
) -> PatchQuestion:
    """One variable a neuron of the layer; exact where :func:`projectable` (see the module).

    The scale of a neuron is rounded up, so that what is refuted here is refuted for weights.
    Cost: J variables, and the tail's ReLUs and rows once.
    """
    weights, entering, norm = problem.weights, problem.sources, problem.verifier.norm
    h, error = entering.values[0], entering.values_error[0]
    if weights.bias.size:  # a bias is the weight of a source that is 1, exactly
        h, error = np.append(h, 1.0), np.append(error, 0.0)
    free = _by_row(weights, weights.free.astype(np.float64)) > 0.0
    limit = _by_row(weights, np.where(weights.free, weights.upper, 0.0)).max(axis=1, initial=0.0)
    # ``most`` holds the sources' errors and ``scale`` is rounded up: dz = scale * x then reaches at
    # least what weights of size |x| reach, so that "no such x" refutes weights. Rounded the other
    # way a lower end would be too high. What is found is spread over ``h`` and verified as written.
    most = np.where(free, np.abs(h) + error, 0.0)
    scale = norm.dual_above(most)
    # The change of a neuron's weights, of norm 1, that moves its pre-activation most.
    steepest = norm.attaining(np.where(free, h, 0.0))
    start = Start(
        entering.before[0],
        entering.before_error[0],
        sp.csr_array(np.diag(scale)),
        sp.csr_array((scale.size, scale.size)),
    )

    def spread(vector: Array) -> Array:
        return _from_rows(weights, vector[:, None] * steepest)

    def seen(change: Array) -> Array:
        return np.asarray((_by_row(weights, change) @ h) / np.where(scale > 0.0, scale, 1.0))

    # For L-infinity |x_j| is the largest |E_ji|, so a limit on weights is one on x as it stands.
    # For L1 it would make the cost of dz_j a knapsack; such problems are not projectable.
    farthest = np.where(scale > 0.0, limit, 0.0)
    ball = Ball(np.zeros(scale.size), -farthest, farthest, norm, inf)
    form = compose(problem.tail, start)
    return _formulated(form, clauses, ball, Replays(problem.verifier, spread, seen), marks=marks)


def _by_row(weights: FreeWeights, numbers: Array) -> Array:
    """The layer's numbers by neuron: (outputs, inputs), and a last column for the biases."""
    weight, bias = weights.split(numbers)
    return np.asarray(np.hstack([weight, bias[:, None]]) if bias.size else weight)


def _from_rows(weights: FreeWeights, rows: Array) -> Array:
    inputs = weights.layer.inputs
    return np.concatenate([rows[:, :inputs].reshape(-1), rows[:, inputs:].reshape(-1)])


def _formulated(
    form: StandardForm, clauses: tuple[Clause, ...], ball: Ball, replays: Replays, *, marks: bool
) -> PatchQuestion:
    form, condition = with_goals(form, clauses)
    # Marks cut half-ranges that no least change needs: moving such an entry back to 0 keeps every
    # row and makes neither norm larger. The optimum stays, not every point (ARCHITECTURE: 6.6).
    if marks:
        ball = marked(form, condition, ball)
    return PatchQuestion(Question(form, ball, condition, replays), replays)
