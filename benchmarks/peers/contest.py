"""What takes part in the comparison of attacks: a name, a norm and a way to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import numpy as np

from marapatch.witnesses.attacks import Norm, Problem

GOALS = ("untargeted", "targeted")


@dataclass(frozen=True)
class Found:
    """What an attack returns for a batch: vectors (NaN where none), and its work an image."""

    vectors: np.ndarray
    gradients: float
    evaluations: float


Runner = Callable[[Problem, int], Found]


@dataclass(frozen=True)
class Contestant:
    """An attack under a name, in one norm; ``run`` gets a problem and a budget of gradients.

    ``goals``: those it can pursue. ``most``: the largest budget that it can be waited for.
    """

    name: str
    norm: Norm
    run: Runner
    goals: tuple[str, ...] = GOALS
    most: float = inf
