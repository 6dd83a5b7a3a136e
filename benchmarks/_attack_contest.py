"""What takes part in the comparison of attacks: a name, a norm and a way to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from marapatch.attacks import Distance, Problem


@dataclass(frozen=True)
class Found:
    """What an attack returns for a batch: vectors, and its work an image."""

    vectors: np.ndarray
    gradients: float
    evaluations: float


Runner = Callable[[Problem, int], Found]


@dataclass(frozen=True)
class Contestant:
    """An attack under a name, in one norm."""

    name: str
    norm: Distance
    run: Runner


