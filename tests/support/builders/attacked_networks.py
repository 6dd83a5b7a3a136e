"""Small networks that are attacked by way of patches."""

from __future__ import annotations

import numpy as np
from small_networks import plain

from marapatch.network.graph import Network, dense_network
from marapatch.patch_attacks.options import PatchAttackOptions

SIZE = 8


WIDE = (-3.0, 3.0)
"""A box in which these networks decide otherwise somewhere."""


FAR = PatchAttackOptions(max_pixel=9.0)


def network(seed: int, sizes: tuple[int, ...] = (SIZE, 12, 10, 4)) -> Network:
    return dense_network(*plain(np.random.default_rng(seed), sizes))
