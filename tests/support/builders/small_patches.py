"""Small networks to be patched, and the least patch by every pattern."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from exact_patch import PatchCase, Rows

from marapatch.network.graph import Network, dense_network
from marapatch.patching.goals import Goal

MARGIN = 0.01


def draw(seed: int, sizes: tuple[int, ...], inputs: int) -> tuple[Network, PatchCase, list[int]]:
    """A random network, an unpatched case without goals, and what it decides on the inputs."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(b, a)) for a, b in pairwise(sizes)]
    biases = [0.3 * rng.normal(size=w.shape[0]) for w in weights]
    network = dense_network(weights, biases)
    given = rng.uniform(0.1, 1.0, size=(inputs, sizes[0]))
    decided = network.evaluate(given).argmax(axis=1)
    return network, PatchCase(weights, biases, 0, given, [], "linf"), [int(d) for d in decided]


def alternatives(goal: Goal) -> list[Rows]:
    """The alternatives of a goal, one for each class that may win."""
    return [
        (clause.rows + choice, clause.rhs) for clause in goal.clauses for choice in clause.choices
    ]


def formulated(case: PatchCase, goals: list[Goal], **changes: object) -> PatchCase:
    known = {name: getattr(case, name) for name in case.__dataclass_fields__}
    return PatchCase(**{**known, "goals": [alternatives(g) for g in goals], **changes})
