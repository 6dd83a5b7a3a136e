"""Batches of sub-problems: taken apart, put together and split, entry by entry."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from marapatch.bounds.nodes import Nodes


def nodes(count: int, neurons: int = 3) -> Nodes:
    rng = np.random.default_rng(count)
    lower = -rng.random((count, neurons))
    return Nodes(
        lower,
        lower + 1.0,
        np.zeros((count, neurons), np.int8),
        rng.random((count, neurons)),
        np.zeros((count, neurons)),
        rng.random((count, 2)),
        rng.normal(size=(count, 4)),
        rng.normal(size=count),
    )


def alike(one: Nodes, other: Nodes) -> bool:
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name))
        for field in fields(Nodes)
    )


def test_what_is_taken_apart_can_be_put_together() -> None:
    whole = nodes(5)
    assert len(whole) == 5
    parts = [whole.take(np.array([k])) for k in range(5)]
    assert alike(Nodes.stack(parts), whole)
    assert alike(
        whole.take(np.array([True, False, False, True, False])), whole.take(np.array([0, 3]))
    )


def test_a_split_fixes_one_neuron_of_each_node_and_leaves_the_rest() -> None:
    whole = nodes(3)
    before = whole.lower.copy()
    chosen = np.array([0, 2, 1])
    active, inactive = whole.split(chosen, 1), whole.split(chosen, -1)
    rows = np.arange(3)
    assert (active.lower[rows, chosen] >= 0.0).all()
    assert (inactive.upper[rows, chosen] <= 0.0).all()
    assert active.phases[rows, chosen].tolist() == [1, 1, 1]
    assert inactive.phases[rows, chosen].tolist() == [-1, -1, -1]
    others = np.ones((3, 3), bool)
    others[rows, chosen] = False
    for child in (active, inactive):
        assert (child.lower == whole.lower)[others].all()
        assert (child.upper == whole.upper)[others].all()
        assert not child.unstable[rows, chosen].any()
    assert (whole.lower == before).all()  # the parent is left alone


def test_contradictory_bounds_are_empty() -> None:
    whole = nodes(2)
    assert not whole.empty.any()
    assert whole.split(np.zeros(2, np.int64), 1).split(
        np.zeros(2, np.int64), -1
    ).empty.tolist() == [
        False,
        False,
    ]  # both ends are 0: one value is left
    crossed = nodes(2)
    crossed.upper[1, 2] = crossed.lower[1, 2] - 1e-9
    assert crossed.empty.tolist() == [False, True]
