"""Engines that answer as they are told, and small models."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

import marapatch.modelling as mp
from marapatch.modelling.replaying import replay
from marapatch.network.graph import Network, dense_network
from marapatch.query.lowering import SHRINKAGE
from marapatch.query.query import Query
from marapatch.solvers import Answer

RNG = np.random.default_rng(11)


def small_network(inputs: int = 3, outputs: int = 3, seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    sizes = [inputs, 5, 4, outputs]
    weights = [rng.normal(size=(b, a)) for a, b in itertools.pairwise(sizes)]
    return dense_network(weights, [0.3 * rng.normal(size=b) for b in sizes[1:]])


@dataclass
class Scripted:
    """A backend that says what it was told to say."""

    says: list[Answer]
    name: str = "scripted"
    needs_confirmation: bool = False
    claim_shrinkage: float = SHRINKAGE

    def solve(self, query: Query, timeout: float) -> Answer:
        del query, timeout
        return self.says.pop(0) if len(self.says) > 1 else self.says[0]

    def close(self) -> None:
        pass


def within(problem: mp.Problem, values: np.ndarray, tolerance: float) -> mp.Solution | None:
    frozen = problem.freeze()
    return replay(problem.model, frozen.declared, values, tolerance)
