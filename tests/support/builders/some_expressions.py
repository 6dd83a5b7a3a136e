"""Expressions over a few variables."""

from __future__ import annotations

import numpy as np

RNG = np.random.default_rng(3)


W, V, B = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2)), RNG.normal(size=3)
