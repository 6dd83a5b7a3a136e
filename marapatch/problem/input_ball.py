"""The ball around one input of a network: everything rounded to the network's own input type."""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marapatch.errors import InputError
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm


def ball_of(
    network: Network,
    x: ArrayLike,
    norm: Norm,
    box: tuple[ArrayLike, ArrayLike] | None,
    mask: ArrayLike | None,
) -> tuple[Ball, NDArray[np.floating]]:
    """The whole box as a ball around ``x``, and ``x`` in the network's type and shape.

    ``box``: (lower, upper), numbers or arrays of the input's size, rounded inward; None: the
    network file's own box, or else [0, 1]. ``mask``: True where an entry may change. Raises
    InputError where something does not fit or is not finite, or ``x`` lies outside the box.
    """
    flat = network.flatten(x)
    if flat.shape[0] != 1:
        raise InputError(f"one input is needed, {flat.shape[0]} were given")
    image = flat[0].astype(network.input_dtype)
    centre = image.astype(np.float64)
    if not np.isfinite(centre).all():
        raise InputError("the input contains NaN or infinity")
    low, high = box if box is not None else (network.input_box or (0.0, 1.0))
    lower = _rounded_inward(_entries(low, network, "box"), network.input_dtype, up=True)
    upper = _rounded_inward(_entries(high, network, "box"), network.input_dtype, up=False)
    if (lower > upper).any():
        i = int(np.argmax(lower > upper))
        raise InputError(f"the box is empty at entry {i}: [{lower[i]}, {upper[i]}]")
    outside = (centre < lower) | (centre > upper)
    if outside.any():
        i = int(np.argmax(outside))
        raise InputError(
            f"the input is outside the box at entry {i}: {centre[i]} is not in "
            f"[{lower[i]}, {upper[i]}] ({int(outside.sum())} entries are)"
        )
    if mask is not None:
        free = _entries(mask, network, "mask").astype(bool)
        lower, upper = np.where(free, lower, centre), np.where(free, upper, centre)
    if not np.isfinite(upper - lower).all():
        raise InputError("the box must be finite")
    return Ball(centre, lower, upper, norm, inf), image.reshape(network.input_shape)


def _rounded_inward(values: Array, dtype: np.dtype[np.floating], *, up: bool) -> Array:
    """The nearest number of ``dtype`` that does not leave the box."""
    rounded = values.astype(dtype)
    wrong = rounded < values if up else rounded > values
    rounded[wrong] = np.nextafter(rounded[wrong], dtype.type(inf if up else -inf))
    return np.asarray(rounded.astype(np.float64))


def _entries(values: ArrayLike, network: Network, what: str) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0:
        return np.full(network.inputs, float(array))
    if array.size != network.inputs:
        raise InputError(
            f"the {what} has shape {array.shape}, the network takes {network.input_shape}"
        )
    return array.reshape(-1)
