"""Recorded trees of small questions, and ways to spoil them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from marapatch.problem.bracket import Bracket
from marapatch.problem.question import Question
from marapatch.problem.verdict import Evidence
from marapatch.query.lowering import SHRINKAGE
from marapatch.query.query import Query
from marapatch.search.branch_and_bound.driver import tree
from marapatch.search.options import Outcome, SearchOptions
from marapatch.search.tree_record import TreeRecord
from marapatch.solvers.base import Answer, Undecided


class Says:
    """A backend that always answers alike."""

    name = "scripted"
    needs_confirmation, claim_shrinkage = False, SHRINKAGE

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer or Undecided("scripted")

    def solve(self, query: Query, timeout: float) -> Answer:
        return self.answer

    def close(self) -> None:
        """Nothing to release."""


def expand(question: Question, answer: Answer | None = None, **options: object) -> Outcome:
    """Search with the trees recorded; by bounds alone unless there is an ``answer``."""
    evidence = Evidence.BOUND if answer is None else Evidence.SOLVER
    chosen = {"tolerance": 1e-3, "nodes": 200, "evidence": evidence, "record": True, **options}

    def quiet(bracket: Bracket, queries: int) -> None:
        """Nobody reads it."""

    return tree(question, Bracket(), Says(answer), SearchOptions(**chosen), quiet)  # type: ignore[arg-type]


def built(
    splits: list[tuple[int, int, int]], neurons: int, rows: int, radius: float = 1.0
) -> TreeRecord:
    """A record of (parent, neuron, phase) with plain multipliers."""
    parent, neuron, phase = (np.array(part) for part in zip(*splits, strict=True))
    count = len(splits)
    return TreeRecord(
        radius,
        parent,
        neuron,
        phase.astype(np.int8),
        np.ones((count, neurons), np.float32),
        np.zeros((count, neurons), np.float32),
        np.full((count, rows), 1.0 / max(rows, 1), np.float32),
        np.zeros(count, np.bool_),
    )


def without(record: TreeRecord, dropped: np.ndarray) -> TreeRecord:
    """``record`` without the nodes ``dropped`` (a mask) and all below them."""
    gone = dropped.copy()
    for i in range(1, len(record)):
        gone[i] |= gone[record.parent[i]]
    number = np.cumsum(~gone) - 1
    kept = np.flatnonzero(~gone)
    parent = np.where(record.parent[kept] < 0, -1, number[record.parent[kept]])
    names = ("neuron", "phase", "alpha", "beta", "row_multipliers", "solver_certified")
    return replace(record, parent=parent, **{name: getattr(record, name)[kept] for name in names})


def split_nodes(record: TreeRecord) -> np.ndarray:
    """The numbers of the nodes that are divided."""
    return np.unique(record.parent[record.parent >= 0])


Spoiler = Callable[[TreeRecord, np.random.Generator], TreeRecord]


def _noisy(name: str, scale: float) -> Spoiler:
    def spoil(record: TreeRecord, rng: np.random.Generator) -> TreeRecord:
        values = getattr(record, name)
        return replace(record, **{name: values + scale * rng.normal(size=values.shape)})

    return spoil


def _scaled(record: TreeRecord, rng: np.random.Generator) -> TreeRecord:
    by = np.float32(10.0) ** rng.integers(-38, 38, (len(record), 1)).astype(np.float32)
    return replace(
        record,
        beta=record.beta * rng.random(record.beta.shape) * by,
        row_multipliers=record.row_multipliers * by,
    )


def _shuffled(record: TreeRecord, rng: np.random.Generator) -> TreeRecord:
    order = rng.permutation(len(record))
    names = ("alpha", "beta", "row_multipliers")
    return replace(record, **{name: getattr(record, name)[order] for name in names})


def _node_dropped(record: TreeRecord, rng: np.random.Generator) -> TreeRecord:
    dropped = np.zeros(len(record), np.bool_)
    dropped[rng.integers(min(1, len(record) - 1), len(record))] = len(record) > 1
    return without(record, dropped)


def _node_closed(record: TreeRecord, rng: np.random.Generator) -> TreeRecord:
    """A divided node made a leaf: still a tree."""
    if len(record) == 1:
        return record
    return without(record, record.parent == rng.choice(split_nodes(record)))


def _leaf_divided(record: TreeRecord, rng: np.random.Generator) -> TreeRecord:
    """Still a tree: a leaf gets two parts with any multipliers."""
    neurons = record.alpha.shape[1]
    if not neurons:
        return record
    leaf = rng.choice(np.setdiff1d(np.arange(len(record)), split_nodes(record)))
    split = int(rng.integers(neurons))
    more = {
        "parent": [leaf, leaf],
        "neuron": [split, split],
        "phase": np.array([1, -1], np.int8),
        "alpha": rng.random((2, neurons)),
        "beta": rng.exponential(size=(2, neurons)),
        "row_multipliers": rng.random((2, record.row_multipliers.shape[1])),
        "solver_certified": [False, False],
    }
    both = {name: np.concatenate([getattr(record, name), more[name]]) for name in more}
    return replace(record, **both)  # type: ignore[arg-type]


def _changed(name: str, values: list[float]) -> Spoiler:
    """One entry of one array becomes another."""

    def spoil(record: TreeRecord, rng: np.random.Generator) -> TreeRecord:
        array = getattr(record, name).copy()
        if array.size:
            array.flat[rng.integers(array.size)] = rng.choice(values)
        return replace(record, **{name: array})

    return spoil


def _turned(record: TreeRecord, rng: np.random.Generator) -> TreeRecord:
    """The two parts of every node change places: still a tree."""
    return replace(record, phase=-record.phase)


SPOILERS: Mapping[str, Spoiler] = MappingProxyType(
    {
        "alpha": _noisy("alpha", 0.3),
        "beta": _noisy("beta", 1.0),
        "row_multipliers": _noisy("row_multipliers", 0.3),
        "scaled": _scaled,
        "shuffled": _shuffled,
        "node dropped": _node_dropped,
        "node closed": _node_closed,
        "leaf divided": _leaf_divided,
        "turned": _turned,
        "one alpha": _changed("alpha", [np.nan, np.inf, -5.0, 7.0]),
        "one beta": _changed("beta", [np.nan, -np.inf, -5.0, 3e38]),
        "one row multiplier": _changed("row_multipliers", [np.nan, np.inf, -1.0, 3e38]),
        "one parent": _changed("parent", [-2, -1, 0, 1, 2, 999]),
        "one neuron": _changed("neuron", [-1, 0, 1, 2, 10**6]),
        "one phase": _changed("phase", [-2, -1, 0, 1, 100]),
        "one solver certified": _changed("solver_certified", [True]),
    }
)
"""Changes of a record by name; some leave it a tree, some do not."""
