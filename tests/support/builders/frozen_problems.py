"""Queries of random problems."""

from __future__ import annotations

from random_problems import random_problem

from marapatch.modelling.freezing import freeze
from marapatch.query.query import Query

COUNT = 60


TIMEOUT = 600.0


def frozen(seed: int) -> Query | None:
    """The query of a problem; None where interval propagation alone refutes it."""
    model = random_problem(seed)[0].model
    found = freeze(model)
    return None if found is None else found.query
