"""The free numbers of one layer as variables, and what its pre-activations are made of.

Letters: :mod:`marapatch.patching.formulation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from marapatch.arithmetic.float_model import gamma
from marapatch.errors import InputError
from marapatch.network.cut import head_network
from marapatch.network.graph import Network, PatchableLayer
from marapatch.network.layers import Affine, Array, Matrix
from marapatch.network.parameters import Parameters


@dataclass(frozen=True, eq=False)
class Sources:
    """What enters and what leaves the layer for each input, before any change.

    ``values``, ``values_error``: (n, inputs of the layer); ``before``, ``before_error``: (n,
    outputs of the layer). The true values lie within the errors. An error of 0 means exact; a
    source that a ReLU certainly blocks is exactly 0.
    """

    values: Array
    values_error: Array
    before: Array
    before_error: Array

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def take(self, i: int) -> Sources:
        """Those of input ``i`` alone."""
        one = slice(i, i + 1)
        return Sources(
            self.values[one], self.values_error[one], self.before[one], self.before_error[one]
        )


def sources(network: Network, layer: PatchableLayer, inputs: Array) -> Sources:
    """The sources of ``layer`` for ``inputs`` (n, network inputs), with bounds on their errors."""
    (before,) = network.predecessors(layer.node)
    values, errors = _evaluate(network, before, inputs)
    z, z_errors = _evaluate(network, layer.node, inputs)
    return Sources(values, errors, z, z_errors)


def _evaluate(network: Network, node: str, inputs: Array) -> tuple[Array, Array]:
    if node == network.input_node:  # what is given is exact, whatever the network is
        return inputs, np.zeros(inputs.shape)
    # Activations are coefficients of the question about a patch. Evaluated up to the node they come
    # with a bound on their error, which the question carries on.
    form = head_network(network, node).standard_form
    pairs = [form.evaluation_error(x) for x in inputs]
    return np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])


@dataclass(frozen=True, eq=False)
class FreeWeights:
    """Which numbers of a layer may change, and how far.

    All numbers of the layer stand in one vector: the weights, flat, then the biases. ``weight``,
    ``bias``: what they are now. ``lower``, ``upper``: the change allowed for each, (numbers,),
    0 where a number may not change, infinite where nothing limits it. ``dtype``: the type in
    which the file holds them.
    """

    layer: PatchableLayer
    parameters: Parameters
    weight: Array
    bias: Array
    lower: Array
    upper: Array
    dtype: np.dtype[np.floating]

    @property
    def numbers(self) -> int:
        """How many numbers the layer has."""
        return int(self.weight.size + self.bias.size)

    @cached_property
    def old(self) -> Array:
        """The numbers as they are."""
        return np.concatenate([self.weight.reshape(-1), self.bias])

    @property
    def free(self) -> NDArray[np.bool_]:
        """Which numbers may change at all."""
        return np.asarray(self.lower < self.upper)

    @property
    def unlimited(self) -> bool:
        """Whether no number that may change is limited."""
        return bool(np.isinf(self.lower[self.free]).all() and np.isinf(self.upper[self.free]).all())

    @property
    def dense(self) -> bool:
        """Whether every weight acts at one place."""
        return self.parameters.sharing is None

    def rounded(self, change: Array) -> Array | None:
        """The change as it would be written: rounded to the file's type, within the limits.

        None where an entry has no room or the file's type cannot hold it.
        """
        limited = np.where(self.free, np.clip(change, self.lower, self.upper), 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            new = (self.old + limited).astype(self.dtype)
            # Rounded to nearest a number may pass its limit; a step of the file's type goes back.
            # What still does not fit is refused below: a limit is never exceeded in the file.
            for _ in range(2):
                moved = new.astype(np.float64) - self.old
                new = np.where(moved > self.upper, np.nextafter(new, self.dtype.type(-inf)), new)
                new = np.where(moved < self.lower, np.nextafter(new, self.dtype.type(inf)), new)
            moved = new.astype(np.float64) - self.old
        # A number that may not change has limits of 0 and must not be rounded either: where the
        # file's type does not hold it, the change is refused.
        fits = np.isfinite(moved) & (moved >= self.lower) & (moved <= self.upper)
        return moved if bool(fits.all()) else None

    def split(self, change: Array) -> tuple[Array, Array]:
        """A change of all numbers as (change of the weights, change of the biases)."""
        size = self.weight.size
        return change[:size].reshape(self.weight.shape), change[size:]

    def apply(self, network: Network, change: Array) -> Network:
        """``network`` with the change in it (numbers rounded to the file's type)."""
        weight, bias = self.split(self.old + change)
        return network.with_weights(self.layer.node, weight, bias if bias.size else None)

    def matrix(self, values: Array) -> Matrix:
        """How the pre-activations move: ``z = before + matrix(values) @ change``.

        ``values``: (inputs of the layer,), what enters it (or, with their absolute errors, how
        wrong the matrix can be; then the bias columns are to be dropped). A csr_array (outputs,
        numbers).
        """
        outputs, size = self.layer.outputs, self.weight.size
        sharing = self.parameters.sharing
        if sharing is None:
            # Row j holds h in the columns of neuron j's own weights: z_j moves by E_j . h.
            rows = np.repeat(np.arange(outputs), self.layer.inputs)
            columns, data = np.arange(size), np.tile(values, outputs)
            biases = np.arange(outputs)
        else:
            rows, columns = sharing.rows, sharing.entries
            data, biases = values[sharing.columns], sharing.biases
        if self.bias.size:
            rows = np.concatenate([rows, np.arange(outputs)])
            columns = np.concatenate([columns, size + biases])
            data = np.concatenate([data, np.ones(outputs)])
        found = sp.csr_array((data, (rows, columns)), shape=(outputs, self.numbers))
        found.sum_duplicates()  # a kernel's entry may act several times on one output
        return found

    def error(self, values: Array, errors: Array) -> Matrix:
        """Bounds on the error of :meth:`matrix`, by entry: a csr_array (outputs, numbers)."""
        if self.bias.size:
            plain = FreeWeights(
                self.layer,
                self.parameters,
                self.weight,
                np.zeros(0),
                self.lower[: self.weight.size],
                self.upper[: self.weight.size],
                self.dtype,
            )
        else:
            plain = self
        # The biases' columns are 1 exactly: the bound is that of the weights, and 0 beside it.
        bound = plain.matrix(errors)
        # In a dense layer an entry is one source, copied and not computed. A sum of several rounds
        # by at most gamma of their sizes; an underflow it need not fear (SOUNDNESS: 1).
        if not self.dense:  # a kernel's entry may act several times on one output
            bound = bound + gamma(self.layer.inputs) * abs(plain.matrix(np.abs(values)))
        wide = sp.csr_array((bound.shape[0], self.numbers - bound.shape[1]))
        return sp.csr_array(sp.hstack([bound, wide])) if wide.shape[1] else bound


def free_weights(
    network: Network,
    layer: PatchableLayer,
    *,
    bias: bool = False,
    max_change: float | None = None,
    mask: ArrayLike | None = None,
) -> FreeWeights:
    """The numbers of ``layer`` that may change.

    ``bias``: whether the biases may change too. ``max_change``: by how much a number may change
    at most. ``mask``: boolean, in the shape of the layer's weights (as
    :meth:`Network.weights` gives them), True where a weight may change. Raises
    :class:`InputError` where the mask does not fit, the limit is not positive, or the layer has
    no bias to change.
    """
    weight, offsets = network.weights(layer.node)
    affine = network.layer(layer.node)
    assert isinstance(affine, Affine) and affine.parameters is not None  # noqa: PT018
    parameters = affine.parameters
    if max_change is not None and not 0.0 < max_change < inf:
        raise InputError(f"the largest change must be positive and finite, not {max_change}")
    if bias and not offsets.size:
        raise InputError(f"layer {layer.number} ({layer.node!r}) has no bias that could change")
    limit = inf if max_change is None else max_change
    # A weight of a kernel that only meets padding takes no part: as a variable it would move
    # nothing.
    free = parameters.used & _mask(mask, weight.shape, layer)
    room = np.concatenate([np.where(free, limit, 0.0).reshape(-1), np.zeros(offsets.size)])
    if bias:
        room[weight.size :] = limit
    if not room.any():
        raise InputError(f"layer {layer.number}: no weight may change; check the mask")
    stored = parameters.stored_weight
    dtype = network.input_dtype if stored is None else stored.dtype
    return FreeWeights(layer, parameters, weight, offsets, -room, room, np.dtype(dtype))


def _mask(
    mask: ArrayLike | None, shape: tuple[int, ...], layer: PatchableLayer
) -> NDArray[np.bool_]:
    if mask is None:
        return np.ones(shape, dtype=bool)
    array = np.asarray(mask)
    if array.shape != shape:
        raise InputError(
            f"the mask has shape {array.shape}, the weights of layer {layer.number} have {shape}"
        )
    if not np.isin(array, (0, 1)).all():
        raise InputError("the mask must hold booleans: True where a weight may change")
    return array.astype(bool)
