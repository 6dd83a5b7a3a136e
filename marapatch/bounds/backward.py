"""Linear relaxations of ReLU and the backward pass that turns them into bounds (CROWN).

Everything is batched: arrays have axes (node, row, neuron), a node being a sub-problem with its
own relaxation. Source of the method: Zhang et al., "Efficient Neural Network Robustness
Certification with General Activation Functions", section 3; split multipliers as in Wang et al.,
"Beta-CROWN", section 3. The rounding of every sum is accounted for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.arithmetic.float_model import SMALL, UNIT, gamma
from marapatch.errors import BackendError
from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.layers import Array, Matrix

FEW_ENTRIES = 0.1
"""The share of entries other than 0 up to which rows are multiplied as sparse ones."""


@dataclass(frozen=True, eq=False)
class Relaxation:
    """``lower_slope * z <= relu(z) <= upper_slope * z + upper_intercept`` for one ReLU layer.

    Arrays of shape (nodes, neurons).
    """

    lower_slope: Array
    upper_slope: Array
    upper_intercept: Array

    def take(self, index: NDArray[np.int64]) -> Relaxation:
        """The relaxations of the nodes at ``index``."""
        return Relaxation(
            self.lower_slope[index], self.upper_slope[index], self.upper_intercept[index]
        )


def relax(lower: Array, upper: Array, alpha: Array | None = None) -> Relaxation:
    """The triangle relaxation of ReLU on ``[lower, upper]``, arrays (nodes, neurons).

    ``alpha``: the slope in [0, 1] of the lower line of unstable neurons; where None, 1 if the
    interval reaches further up than down and 0 otherwise. The chord is lifted by a few units of
    rounding, so that it lies above ReLU in real arithmetic. Raises BackendError where a bound is
    NaN: every comparison with it is false, so it would pass for a neuron that is always inactive.
    """
    if np.isnan(lower).any() or np.isnan(upper).any():
        raise BackendError("a bound of a neuron is NaN (this is a defect: please report it)")
    # An end that is 0 counts as stable: relu(z) = z for z >= 0, and 0 for z <= 0, without a chord.
    active, unstable = lower >= 0.0, (lower < 0.0) & (upper > 0.0)
    width = np.where(unstable, upper - lower, 1.0)
    chord = np.where(unstable, upper / width, active.astype(np.float64))
    # At both ends: the quotient, its product with an end, and the difference each round once.
    # A quotient that underflows loses 2^-1075 of the width at most, which the first term holds.
    lift = 8.0 * UNIT * (np.abs(upper) + np.abs(lower)) + SMALL
    intercept = np.where(unstable, -chord * lower + lift, 0.0)
    # Any slope in [0, 1] lies below ReLU: alpha z <= max(z, 0). So alpha needs no precision, and is
    # clipped only because what proposes it may step outside.
    slope = (upper > -lower).astype(np.float64) if alpha is None else np.clip(alpha, 0.0, 1.0)
    return Relaxation(np.where(unstable, slope, active.astype(np.float64)), chord, intercept)


@dataclass(frozen=True, eq=False)
class InputForm:
    """``weights . x + constant - error`` as a lower bound of the form started from.

    ``weights``: (nodes, rows, inputs); ``constant``, ``error``: (nodes, rows), error >= 0.
    ``coefficients``: per ReLU layer, what multiplied its activations (nodes, rows, neurons).
    """

    weights: Array
    constant: Array
    error: Array
    coefficients: tuple[Array | None, ...]


@dataclass(frozen=True, eq=False)
class BackwardPass:
    """Substitutes relaxations backward through ``form``.

    ``sizes``: per source, a bound on |activation| over the scope: rounding errors are measured
    against it.
    """

    form: StandardForm
    sizes: Sequence[Array]
    _losses: dict[int, _Loss] = field(default_factory=dict)

    def start(self, layer: AffineMap, rows: Array) -> tuple[dict[int, Array], Array, Array]:
        """The form ``rows @ layer(a)``: coefficients by source, constant and error.

        ``rows``: (nodes, rows, outputs of the layer).
        """
        into: dict[int, Array] = {}
        constant = np.zeros(rows.shape[:2])
        error = np.zeros(rows.shape[:2])
        self._through(layer, rows, into, constant, error)
        return into, constant, error

    def run(
        self,
        started: tuple[dict[int, Array], Array, Array],
        depth: int,
        relaxations: Sequence[Relaxation],
        multipliers: Mapping[int, Array] | None = None,
    ) -> InputForm:
        """Substitute ReLU layers ``depth`` .. 1; lower bounds of the form started from.

        ``multipliers``: by layer number (from 1), (nodes, neurons) added to the coefficient of
        the pre-activation: the Lagrange multipliers of phase splits (sign checked by the caller).
        """
        into, constant, error = started
        coefficients: list[Array | None] = [None] * depth
        for k in range(depth, 0, -1):
            extra = None if multipliers is None else multipliers.get(k)
            incoming = into.pop(k, None)
            if incoming is None and extra is None:
                continue
            if incoming is None:
                incoming = np.zeros((*constant.shape, self.form.hidden[k - 1].outputs))
            coefficients[k - 1] = incoming
            # The form so far is c . a with a = relu(z): where c < 0 the chord bounds a from above,
            # where c >= 0 the lower line from below, and both keep c . a from falling below what is
            # returned.
            line = relaxations[k - 1]
            negative = np.minimum(incoming, 0.0)
            offset = np.einsum("nrj,nj->nr", negative, _per_node(line.upper_intercept, negative))
            constant += offset
            # ``offset`` is <= 0, a sum of terms of one sign: its rounding is relative to itself.
            error -= gamma(incoming.shape[2] + 4 * len(self.form.hidden)) * offset
            rows = (incoming - negative) * line.lower_slope[:, None]
            rows += negative * line.upper_slope[:, None]
            if extra is not None:
                # Where the two cancel, what was rounded so far is not small beside their sum.
                size = self._loss(self.form.hidden[k - 1]).size
                error += 8.0 * UNIT * (np.abs(rows) @ size)
                rows += extra[:, None]
            self._through(self.form.hidden[k - 1], rows, into, constant, error)
        # What was added up as error is itself rounded, and so is the constant, once a layer.
        error = error * (1.0 + gamma(64)) + gamma(4 * depth + 16) * np.abs(constant)
        weights = into.get(0)
        if weights is None:
            weights = np.zeros((*constant.shape, self.form.inputs))
        return InputForm(weights, constant, error, tuple(coefficients))

    def _through(
        self,
        layer: AffineMap,
        rows: Array,
        into: dict[int, Array],
        constant: Array,
        error: Array,
    ) -> None:
        """Replace ``rows . z`` by what ``z`` is, adding to ``into``, ``constant`` and ``error``."""
        nodes, count, width = rows.shape
        # One product for all rows of all nodes: this line and the next few are most of the time.
        flat = rows.reshape(-1, width)
        for source, weight in zip(layer.sources, layer.weights, strict=True):
            part = _product(flat, weight).reshape(nodes, count, -1)
            into[source] = into[source] + part if source in into else part
        constant += (flat @ layer.bias).reshape(nodes, count)
        loss = self._loss(layer)
        error += (np.abs(flat) @ loss.relative).reshape(nodes, count) + loss.absolute

    def _loss(self, layer: AffineMap) -> _Loss:
        known = self._losses.get(id(layer))
        if known is None:
            size, inexact = layer.magnitude(self.sizes)
            # Of its products, and of the sums in which they meet what comes from other layers.
            additions = 2 * len(layer.sources) + 4 * len(self.form.hidden) + 8
            # A coefficient of the input side is a sum of as many products as the layer has outputs.
            unit = gamma(layer.outputs + additions)
            sources = sum(float(self.sizes[s].sum()) for s in layer.sources)
            known = self._losses[id(layer)] = _Loss(
                size,
                unit * size + inexact + SMALL,
                # A coefficient that underflowed is wrong by 2^-1075 a term; it multiplies an
                # activation. So is a slope's product, which multiplies a pre-activation.
                SMALL * (4.0 + 2.0 * sources + 2.0 * float(size.sum())),
            )
        return known


@dataclass(frozen=True, eq=False)
class _Loss:
    """What substituting a layer can lose: ``relative`` (outputs,), by unit of each coefficient,
    and ``absolute``, by form. ``size``: a bound on its |pre-activation|, by output."""

    size: Array
    relative: Array
    absolute: float


def _product(rows: Array, weight: Matrix) -> Array:
    """``rows @ weight``, in time that the entries of a sparse ``weight`` and of rows that begin at
    one neuron of a convolution allow."""
    if isinstance(weight, np.ndarray):
        return np.asarray(rows @ weight)
    if np.count_nonzero(rows) < FEW_ENTRIES * rows.size:
        return np.asarray((sp.csr_array(rows) @ weight).toarray())
    return np.asarray((weight.T @ rows.T).T)


def _per_node(values: Array, like: Array) -> Array:
    """``values`` (1 or nodes, neurons) for every node of ``like`` (nodes, rows, neurons)."""
    return np.broadcast_to(values, (like.shape[0], like.shape[2]))
