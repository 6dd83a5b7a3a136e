"""Windows over images, as matrices."""

from __future__ import annotations

import numpy as np
from convolutions import a_convolution


def test_a_convolution_is_what_its_definition_says() -> None:
    layer, kernel, bias = a_convolution()
    image = np.random.default_rng(1).normal(size=(2, 3, 4))
    padded = np.pad(image, ((0, 0), (0, 0), (1, 0)))
    expected = [
        bias[m] + (kernel[m, 0] * padded[m // 2, i : i + 2, j : j + 2]).sum()
        for m in range(4)
        for i in range(2)
        for j in range(4)
    ]
    np.testing.assert_allclose(layer(image.reshape(1, -1))[0], expected, rtol=1e-14)
