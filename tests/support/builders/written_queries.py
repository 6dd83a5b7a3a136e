"""Queries to be written to files."""

from __future__ import annotations

from random_problems import random_problem

from marapatch.modelling.freezing import freeze
from marapatch.query.query import Query
from marapatch.solvers import Candidate, HighsBackend, Infeasible

TIMEOUT = 600.0


def queries() -> list[Query]:
    """Frozen random problems, about as many with a solution as without."""
    models = (random_problem(seed)[0].model for seed in range(16))
    return [found.query for model in models if (found := freeze(model)) is not None]


QUERIES = queries()


def feasible(query: Query) -> bool:
    answer = HighsBackend().solve(query, TIMEOUT)
    assert isinstance(answer, Candidate | Infeasible)
    return isinstance(answer, Candidate)
