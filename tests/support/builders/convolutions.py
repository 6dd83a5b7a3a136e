"""A small convolution: its layer, its kernel and its bias."""

from __future__ import annotations

import numpy as np

from marapatch.network.layers import Affine
from marapatch.network.parameters import Kind, Parameters
from marapatch.network.windows import Windows, convolution


def a_convolution() -> tuple[Affine, np.ndarray, np.ndarray]:
    windows = Windows((3, 4), (2, 2), (1, 1), (1, 1), (0, 1), (0, 0))
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(4, 1, 2, 2)), rng.normal(size=4)
    sharing = convolution(windows, kernel.shape, 2, np.arange(24))
    parameters = Parameters(Kind.CONV, kernel.shape, 4, None, None, sharing)
    return (
        Affine(sharing.matrix(kernel, 24), bias[sharing.biases], parameters),
        kernel,
        bias,
    )
