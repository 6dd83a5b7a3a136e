"""A network as affine maps and ReLUs only: the form in which bounds, queries and gradients work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.arithmetic.float_model import SAFE, SMALL, gamma, least_size, occupied_rows
from marapatch.network.layers import Array, Matrix, freeze, freeze_matrix


@dataclass(frozen=True, eq=False)
class AffineMap:
    """``sum_s weights[s] @ a_s + bias`` over sources s, as stored in float64.

    ``sources``: 0 is the network's input, k the output of ReLU layer k (counted from 1), strictly
    increasing. ``weights``: one matrix (outputs, size of the source) a source. The stored numbers
    are the float64 rounding of products of the file's weights where layers were fused: the true
    coefficients lie within ``weight_errors[s]`` and ``bias_error`` of the stored ones (arrays of
    absolute errors; None where the stored numbers are exact).
    """

    sources: tuple[int, ...]
    weights: tuple[Matrix, ...]
    bias: Array
    weight_errors: tuple[Matrix | None, ...]
    bias_error: Array

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "weights", tuple(freeze_matrix(w, "weights") for w in self.weights)
        )
        object.__setattr__(self, "bias", freeze(self.bias, "bias"))
        object.__setattr__(self, "bias_error", freeze(self.bias_error, "bias error"))

    @property
    def outputs(self) -> int:
        """The number of entries of the result."""
        return int(self.bias.size)

    def __call__(self, activations: Sequence[Array]) -> Array:
        """Apply to ``activations``, one (batch, size) array a source; gives (batch, outputs)."""
        total = np.broadcast_to(self.bias, (activations[0].shape[0], self.outputs))
        for source, weight in zip(self.sources, self.weights, strict=True):
            total = total + np.asarray((weight @ activations[source].T).T)
        return total

    def magnitude(self, activations: Sequence[Array]) -> tuple[Array, Array]:
        """For |a_s| <= activations[s] (one vector a source number): bounds, by output, on
        ``sum |w||a| + |b|`` (up to a relative rounding of :func:`gamma`) and on the difference
        between stored and true coefficients applied.

        Both are exactly 0 where the output is exactly 0; elsewhere what underflows is added.
        """
        size = np.abs(self.bias)
        error = np.array(self.bias_error)
        for s, weight, inexact in zip(self.sources, self.weights, self.weight_errors, strict=True):
            size = size + abs(weight) @ activations[s]
            if inexact is not None:
                error = error + inexact @ activations[s]
        # NaN, of 0 times an infinite activation, compares false: without isnan such an output would
        # pass for exactly 0.
        live = self._live(activations, (size > 0.0) | (error > 0.0) | np.isnan(size))
        inexact_rows = live if self._inexact else live & (error > 0.0)
        return np.asarray(size + SMALL * live), np.asarray(error + SMALL * inexact_rows)

    def _live(self, activations: Sequence[Array], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Outputs that are not exactly 0, whatever underflowed; ``known``: some of them."""
        live = known.copy()
        for s, weight, inexact in zip(self.sources, self.weights, self.weight_errors, strict=True):
            for matrix in (weight,) if inexact is None else (weight, inexact):
                rest = np.flatnonzero(~live)
                if rest.size:
                    live[rest] |= occupied_rows(matrix, activations[s], rest)
        return live

    @property
    def _inexact(self) -> bool:
        return any(error is not None for error in self.weight_errors)

    @cached_property
    def row_sums(self) -> Array:
        """``sum |w|`` by output, over all sources, up to a relative rounding."""
        total = np.zeros(self.outputs)
        for weight in self.weights:
            total = total + np.asarray(abs(weight).sum(axis=1))
        return total

    @cached_property
    def least_weight(self) -> float:
        """The least |w| other than 0; infinite where there is none."""
        return min((least_size(weight) for weight in self.weights), default=np.inf)

    @property
    def terms(self) -> int:
        """The largest number of products summed for one output."""
        # The bias is one term more: it is added to the products, and that rounds.
        count = np.ones(self.outputs)
        for weight in self.weights:
            if sp.issparse(weight):
                count = count + np.diff(weight.indptr)
            else:
                count = count + weight.shape[1]
        return int(count.max(initial=1))


MOST_GRADIENTS = 20_000_000
"""Derivatives of all outputs by the neurons of one layer that are worked out at once."""


@dataclass(frozen=True, eq=False)
class StandardForm:
    """``a_0 = input; z_k = hidden[k-1](a); a_k = max(z_k, 0); output = output(a)``.

    Exact in real arithmetic for every supported layer: leaky ReLU is s x + (1-s) relu(x), |x| is
    2 relu(x) - x and max(x, y) is relu(x - y) + y (Carlini et al., section 3), maxima over more
    are tournaments, clip(x) is low + relu(x - low) - relu(x - high).
    """

    inputs: int
    hidden: tuple[AffineMap, ...]
    output: AffineMap

    @property
    def outputs(self) -> int:
        """The number of entries of the output."""
        return self.output.outputs

    @property
    def sizes(self) -> tuple[int, ...]:
        """The size of every source: the input, then each ReLU layer."""
        return (self.inputs, *(layer.outputs for layer in self.hidden))

    @cached_property
    def spans(self) -> tuple[slice, ...]:
        """Where each ReLU layer's neurons are, all of them being numbered one after the other."""
        ends = np.cumsum([layer.outputs for layer in self.hidden], dtype=int).tolist()
        return tuple(
            slice(end - layer.outputs, end) for end, layer in zip(ends, self.hidden, strict=True)
        )

    def pre_activations(self, x: Array) -> tuple[list[Array], Array]:
        """All z_k and the output at a batch ``x`` of shape (batch, inputs)."""
        activations = [x]
        hidden = []
        for layer in self.hidden:
            z = layer(activations)
            hidden.append(z)
            activations.append(np.maximum(z, 0.0))
        return hidden, self.output(activations)

    def evaluate(self, x: Array) -> Array:
        """The outputs (batch, outputs) at a batch ``x`` of shape (batch, inputs)."""
        return self.pre_activations(x)[1]

    def pullback(
        self, pattern: Sequence[NDArray[np.bool_]] | Sequence[Array], direction: Array
    ) -> Array:
        """The gradient of ``direction . output`` by the input where ReLU phases are ``pattern``.

        ``pattern``: per ReLU layer (batch, size) or (size,), True where active, or the slopes
        that stand in for the phases. ``direction``: (batch, outputs). Returns (batch, inputs).
        """
        gradients: list[Array | None] = [None] * len(self.sizes)
        _accumulate(gradients, self.output, direction)
        for k in range(len(self.hidden), 0, -1):
            incoming = gradients[k]
            if incoming is not None:
                _accumulate(gradients, self.hidden[k - 1], incoming * pattern[k - 1])
        first = gradients[0]
        return np.zeros((direction.shape[0], self.inputs)) if first is None else first

    def evaluation_error(self, x: Array) -> tuple[Array, Array]:
        """The outputs at one input ``x`` (inputs,) and a bound on |computed - true|, by output.

        Forward, each layer adds its own rounding (Higham, chapter 3) and the inexactness of its
        coefficients, and errors of earlier layers are carried through |weights|: ``errors``. Where
        these decide the phases, the error of the output is *exactly* the sum over the layers of
        their own errors times the derivative of the output there, which lets signs cancel: far
        smaller in a deep network. A ReLU whose phase they leave open counts as inactive, with its
        whole error as one of its own. Rounding in the derivatives is covered by a multiple of the
        first bound. The smaller of the two bounds is returned.
        """
        values, errors = [x[None, :]], [np.zeros(self.inputs)]
        owns, masks, opens = [], [], []
        computed, error, terms = np.zeros(0), np.zeros(0), 16
        for layer in (*self.hidden, self.output):
            computed = layer(values)[0]
            size, inexact = layer.magnitude(
                # |true a| <= |computed a| + error: the inexact coefficients act on the true
                # activations.
                [np.abs(v[0]) + e for v, e in zip(values, errors, strict=True)]
            )
            operations = layer.terms + len(layer.sources)
            terms += operations + layer.outputs  # forward, and backward through the gradients
            carried = np.zeros(layer.outputs)
            for s, weight in zip(layer.sources, layer.weights, strict=True):
                carried = carried + abs(weight) @ errors[s]
            own = (gamma(operations) * size + inexact) * (1.0 + gamma(operations + 16))
            own += SMALL * (size > 0.0)  # of the products, and of those of this bound itself
            error = (carried + own) * (1.0 + gamma(operations + 16))
            # The true z is within `error` of the computed one: above it the neuron is surely
            # active, at or below its negative surely inactive, and between them open.
            possible = computed > -error
            active = computed > error
            owns.append(own)
            masks.append(active)
            opens.append(np.where(possible & ~active, error, 0.0))
            values.append(np.maximum(computed, 0.0)[None, :])
            # ReLU has slope at most 1, so it enlarges no error; of a neuron that is surely inactive
            # both values are 0.
            errors.append(np.where(possible, error, 0.0))
        # Without a ReLU both bounds are one, and from very many outputs gradients are too large.
        if not self.hidden or self.outputs * max(self.sizes) > MOST_GRADIENTS:
            return computed, error
        by_gradient = self._error_by_gradient(owns, masks, opens, gamma(terms) * error, terms)
        # fmin: where one of the two overflowed into NaN, the other holds.
        return computed, np.fmin(by_gradient, error)

    def _error_by_gradient(
        self,
        owns: Sequence[Array],
        masks: Sequence[NDArray[np.bool_]],
        opens: Sequence[Array],
        rounding: Array,
        terms: int,
    ) -> Array:
        """The second bound of :meth:`evaluation_error`; infinite where a derivative may have
        underflowed: what it lost is multiplied by the weights before it, however large."""
        total = owns[-1] + rounding
        gradients: list[Array | None] = [None] * len(self.sizes)
        _accumulate(gradients, self.output, np.eye(self.outputs))
        least = self.output.least_weight
        for k in range(len(self.hidden), 0, -1):
            incoming = gradients[k]
            if incoming is not None:
                # The mask of an open neuron is 0: what is before it is not followed through it, and
                # its whole error, `opens`, is multiplied by the derivative behind it instead.
                through = incoming * masks[k - 1]
                least = min(least, least_size(through) * self.hidden[k - 1].least_weight)
                if least < SAFE:
                    return np.full(self.outputs, np.inf)
                total = total + np.abs(through) @ owns[k - 1] + np.abs(incoming) @ opens[k - 1]
                _accumulate(gradients, self.hidden[k - 1], through)
        # Errors are at least SMALL where they are not 0, so products with derivatives that are
        # not tiny lose no more than one rounding each, and SMALL covers that.
        total = total * (1.0 + gamma(terms + max(self.sizes))) + SMALL * (total > 0.0)
        return np.asarray(np.where(np.isnan(total), np.inf, total))


def _accumulate(gradients: list[Array | None], layer: AffineMap, incoming: Array) -> None:
    for source, weight in zip(layer.sources, layer.weights, strict=True):
        part = np.asarray((weight.T @ incoming.T).T)
        known = gradients[source]
        gradients[source] = part if known is None else known + part
