"""The rest of the network as a function of the change of one layer: affine maps and ReLUs only.

One copy of the tail for each input, all fed by the same change; a choice between classes becomes
a maximum, encoded by ReLUs. So every question about a patch is one about the nearest input of
such a form, and one search serves both. Letters: :mod:`marapatch.patching.formulation`.

Every map carries bounds on its own error: the true weights lie within ``weight_errors`` of the
float64 ones, entry by entry, and the true bias within ``bias_error``. Whoever bounds the form adds
them, so an error that is too small here is a proof that is wrong there. ``gamma`` is twice what a
sum needs: that covers what these bounds themselves lose when they are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from marapatch.arithmetic.float_model import gamma, underflow
from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.layers import Array, Matrix
from marapatch.patching.goals import Clause
from marapatch.problem.conditions import OutputCondition


@dataclass(frozen=True, eq=False)
class Start:
    """The pre-activations of one input as a function of the search's variables x.

    ``z = base + matrix @ x``; the true base and matrix lie within the errors, by entry.
    ``base``, ``base_error``: (J,); ``matrix``, ``matrix_error``: (J, V).
    """

    base: Array
    base_error: Array
    matrix: Matrix
    matrix_error: Matrix


def compose(tail: StandardForm, start: Start) -> StandardForm:
    """``tail`` as a function of x, whose input is ``start``: exact up to the errors it carries."""
    maps = [_substituted(layer, start) for layer in (*tail.hidden, tail.output)]
    return StandardForm(int(start.matrix.shape[1]), tuple(maps[:-1]), maps[-1])


def _substituted(layer: AffineMap, start: Start) -> AffineMap:
    if 0 not in layer.sources:
        return layer
    at = layer.sources.index(0)
    M, inexact = layer.weights[at], layer.weight_errors[at]
    size, rounding = abs(M), gamma(int(M.shape[1]))
    if _selects(M):  # 1 * a + nothing is exact: a layer that only copies adds no error
        rounding = 0.0
    # fl(M S) differs from M S by at most gamma_k |M| |S| (k terms a sum), and S itself is wrong by
    # start.matrix_error; for M wrong by ``inexact``, |M' S' - M S| <= |M| dS + dM (|S| + dS).
    weight = M @ start.matrix
    error = size @ start.matrix_error + rounding * (size @ abs(start.matrix))
    base = np.abs(start.base) + start.base_error
    bias_error = layer.bias_error + size @ start.base_error
    bias_error = bias_error + gamma(int(M.shape[1]) + 2) * (size @ base + np.abs(layer.bias))
    factors = [(M, start.matrix), (M, start.matrix_error)]
    vectors = [(M, start.base), (M, base), (M, start.base_error)]
    if inexact is not None:
        around = abs(start.matrix) + start.matrix_error
        error = error + inexact @ around
        bias_error = bias_error + inexact @ base
        factors.append((inexact, around))
        vectors.append((inexact, base))
    # The relative bounds above say nothing of products that underflowed to 0 or to subnormals:
    # these have an absolute term of their own. Without it 1e-300 * 1e-300 would be exactly 0.
    for lost in (underflow(*pair) for pair in factors):
        error = error if lost is None else error + lost
    for lost in (underflow(*pair) for pair in vectors):
        bias_error = bias_error if lost is None else bias_error + lost
    weights = tuple(weight if s == at else w for s, w in enumerate(layer.weights))
    errors = tuple(error if s == at else e for s, e in enumerate(layer.weight_errors))
    bias = layer.bias + M @ start.base
    return AffineMap(layer.sources, weights, bias, errors, bias_error)


def _selects(matrix: Matrix) -> bool:
    """Whether products with the matrix are exact: at most one entry a row, each of them 1."""
    if not sp.issparse(matrix):
        return False
    return bool((np.diff(matrix.indptr) <= 1).all() and (matrix.data == 1.0).all())


def stack_copies(forms: Sequence[StandardForm]) -> StandardForm:
    """Several forms of one structure over the same x: their outputs one after the other."""
    if len(forms) == 1:
        return forms[0]
    maps = [
        _joined(layers)
        for layers in zip(*((*form.hidden, form.output) for form in forms), strict=True)
    ]
    return StandardForm(forms[0].inputs, tuple(maps[:-1]), maps[-1])


def _joined(layers: Sequence[AffineMap]) -> AffineMap:
    first = layers[0]
    weights: list[Matrix] = []
    errors: list[Matrix | None] = []
    for at, source in enumerate(first.sources):
        # All copies read the one x (source 0), so its matrices stand below each other; each copy
        # reads its own ReLUs, so theirs stand on a diagonal.
        join = sp.vstack if source == 0 else sp.block_diag
        parts = [sp.csr_array(layer.weights[at]) for layer in layers]
        weights.append(sp.csr_array(join(parts)))
        if all(layer.weight_errors[at] is None for layer in layers):
            errors.append(None)
            continue
        wrong = [layer.weight_errors[at] for layer in layers]
        empty = [sp.csr_array(part.shape) for part in parts]
        errors.append(
            sp.csr_array(
                join(
                    [
                        sp.csr_array(e if e is not None else z)
                        for e, z in zip(wrong, empty, strict=True)
                    ]
                )
            )
        )
    return AffineMap(
        first.sources,
        tuple(weights),
        np.concatenate([layer.bias for layer in layers]),
        tuple(errors),
        np.concatenate([layer.bias_error for layer in layers]),
    )


def with_goals(
    form: StandardForm, clauses: Sequence[Clause]
) -> tuple[StandardForm, OutputCondition]:
    """The form and the condition under which every clause is met; both exact.

    ``form``: its outputs are those of one input after the other; clause i is about the i-th. A
    maximum over choices c_1, c_2, ... is ``c_1 y + relu((c_2 - c_1) y)`` and so on: one more
    ReLU a choice (Carlini et al., "Ground-Truth Adversarial Examples", section 3).
    """
    outputs = form.outputs // len(clauses)
    if all(clause.plain for clause in clauses):
        # Without a choice one of the two is 0, or both hold 0, 1 and -1 for classes: the sum is
        # exact either way.
        matrix = _blocks([clause.rows + clause.choices for clause in clauses], outputs)
        return form, OutputCondition(
            matrix.toarray(), np.concatenate([clause.rhs for clause in clauses])
        )
    chain = _Chain(form, clauses, outputs)
    return chain.build()


class _Chain:
    """ReLU layers that carry the running maxima: ``r_k = relu(r_{k-1} + (c_{k-1} - c_k) y)``."""

    def __init__(self, form: StandardForm, clauses: Sequence[Clause], outputs: int) -> None:
        self.form, self.clauses, self.outputs = form, clauses, outputs
        self.steps = [clause.choices.shape[0] - 1 for clause in clauses]

    def build(self) -> tuple[StandardForm, OutputCondition]:
        hidden = list(self.form.hidden)
        place: dict[int, tuple[int, int]] = {}
        for k in range(1, max(self.steps) + 1):
            active = [s for s, steps in enumerate(self.steps) if steps >= k]
            matrix = np.zeros((len(active), self.form.outputs))
            for i, s in enumerate(active):
                choices = self.clauses[s].choices
                # Choices are classes, coefficients 0, 1 and -1: their difference is exact, so that
                # the errors of the new map are those of its products with the outputs alone.
                matrix[i, self._span(s)] = choices[k - 1] - choices[k]
            carried = [place.get(s) for s in active]
            # max(a, b) = b + relu(a - b): what is carried is r_k = max_{c<=k} c y - c_k y >= 0, so
            # one ReLU a step and copy does, and no row needs a choice of its own.
            hidden.append(self._map(matrix, carried, hidden))
            # A copy that has no more choices keeps the place of its last ReLU, which its rows read
            # below.
            place.update({s: (len(hidden), i) for i, s in enumerate(active)})
        rows = [clause.rows + clause.choices[-1] for clause in self.clauses]
        owner = [s for s, block in enumerate(rows) for _ in range(block.shape[0])]
        last = self._map(
            _blocks(rows, self.outputs).toarray(), [place.get(s) for s in owner], hidden
        )
        # The rows are the form's outputs now, with their errors: the condition on them is the
        # identity and rounds nothing.
        form = StandardForm(self.form.inputs, tuple(hidden), last)
        rhs = np.concatenate([clause.rhs for clause in self.clauses])
        return form, OutputCondition(np.eye(rhs.size), rhs)

    def _span(self, s: int) -> slice:
        return slice(s * self.outputs, (s + 1) * self.outputs)

    def _map(
        self, matrix: Array, carried: Sequence[tuple[int, int] | None], hidden: list[AffineMap]
    ) -> AffineMap:
        """``matrix @ outputs`` plus, by row, the ReLU at a place (layer from 1, index)."""
        y = self.form.output
        # As in :func:`_substituted`, with an exact ``matrix``: |M| dW + gamma |M| |W| for the
        # weights, and the same for the bias. What is picked from carried ReLUs has weight 1: no
        # error.
        few, size = gamma(self.outputs), np.abs(matrix)
        M = sp.csr_array(matrix)
        parts: dict[int, list[Matrix]] = {}
        for source, weight, inexact in zip(y.sources, y.weights, y.weight_errors, strict=True):
            error = few * (abs(M) @ abs(weight))
            if inexact is not None:
                error = error + abs(M) @ inexact
            for lost in (underflow(M, weight), None if inexact is None else underflow(M, inexact)):
                error = error if lost is None else error + lost
            parts[source] = [M @ weight, error]
        for layer in sorted({place[0] for place in carried if place is not None}):
            chosen = [(i, p[1]) for i, p in enumerate(carried) if p is not None and p[0] == layer]
            rows, columns = zip(*chosen, strict=True)
            shape = (matrix.shape[0], hidden[layer - 1].outputs)
            pick = sp.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
            if layer in parts:
                parts[layer] = [parts[layer][0] + pick, parts[layer][1]]
            else:
                parts[layer] = [pick, None]
        bias_error = size @ y.bias_error + few * (size @ np.abs(y.bias))
        for lost in (underflow(matrix, y.bias), underflow(matrix, y.bias_error)):
            bias_error = bias_error if lost is None else bias_error + lost
        # Whoever reads a map relies on sources that increase.
        order = sorted(parts)
        return AffineMap(
            tuple(order),
            tuple(parts[s][0] for s in order),
            matrix @ y.bias,
            tuple(parts[s][1] for s in order),
            bias_error,
        )


def _blocks(blocks: Sequence[Array], outputs: int) -> Matrix:
    """Matrices (rows_i, outputs) as one block-diagonal csr_array."""
    if not all(block.shape[1] == outputs for block in blocks):
        raise ValueError("a clause does not fit the outputs")
    return sp.csr_array(sp.block_diag([sp.csr_array(block) for block in blocks]))
