"""The windows of convolutions and pools: which entries of an image each output looks at."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from marapatch.network.parameters import Positions, Sharing


@dataclass(frozen=True)
class Windows:
    """Windows over the spatial axes of an image; every field has one entry an axis.

    ``image``: its sizes. ``kernel``, ``strides``, ``dilations``: of the window. ``before``,
    ``after``: how far the image is padded.
    """

    image: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def slack(self) -> tuple[int, ...]:
        """How far the window can move along each axis; negative where it does not fit."""
        return tuple(
            n + b + a - (k - 1) * d - 1
            for n, k, d, b, a in zip(
                self.image, self.kernel, self.dilations, self.before, self.after, strict=True
            )
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of windows along each axis."""
        return tuple(room // s + 1 for room, s in zip(self.slack, self.strides, strict=True))

    @property
    def entries(self) -> int:
        """The number of entries of all windows, padding included."""
        return prod(self.shape) * prod(self.kernel)

    def positions(self) -> Positions:
        """The flat position in the image of every entry of every window, -1 in the padding.

        Shape (windows, entries of one window), both in row-major order.
        """
        flat: Positions = np.zeros((1, 1), dtype=np.int64)
        inside = np.ones((1, 1), dtype=bool)
        axes = zip(
            self.image, self.shape, self.kernel, self.strides, self.dilations, self.before,
            strict=True,
        )  # fmt: skip
        for size, count, kernel, stride, dilation, before in axes:
            starts = np.arange(count)[:, None] * stride - before
            along = starts + np.arange(kernel)[None, :] * dilation
            merged = (flat.shape[0] * count, flat.shape[1] * kernel)
            flat = (flat[:, None, :, None] * size + along[None, :, None, :]).reshape(merged)
            within = (along >= 0) & (along < size)
            inside = (inside[:, None, :, None] & within[None, :, None, :]).reshape(merged)
        return np.where(inside, flat, np.int64(-1))


def convolution(
    windows: Windows, kernel: tuple[int, ...], groups: int, columns: Positions
) -> Sharing:
    """A convolution as a shared matrix.

    ``kernel``: (outputs, channels / groups, *window). ``columns``: for each entry (channel,
    *image) of the input, in row-major order, its column. Rows are (output channel, *window).
    """
    outputs, depth = kernel[:2]
    positions = windows.positions()
    window, entry = np.nonzero(positions >= 0)
    pixel = positions[window, entry]
    m = np.arange(outputs)[:, None, None]
    c = np.arange(depth)[None, :, None]
    channel = m // (outputs // groups) * depth + c
    rows, inner, entries = np.broadcast_arrays(
        m * positions.shape[0] + window,
        channel * prod(windows.image) + pixel,
        (m * depth + c) * positions.shape[1] + entry,
    )
    biases = np.repeat(np.arange(outputs), positions.shape[0])
    return Sharing.of(rows.reshape(-1), columns[inner.reshape(-1)], entries.reshape(-1), biases)
