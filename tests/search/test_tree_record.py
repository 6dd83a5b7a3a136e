"""The record of a tree: splits by name, multipliers as they were last improved."""

from __future__ import annotations

import numpy as np

from marapatch.bounds.nodes import Nodes
from marapatch.search.tree_record import NOBODY, Recorder


def nodes(count: int, alpha: float, *, low: float = -1.0, high: float = 1.0) -> Nodes:
    shape = (count, 2)
    return Nodes(
        np.full(shape, low),
        np.full(shape, high),
        np.zeros(shape, np.int8),
        np.full(shape, alpha),
        np.full(shape, 2.0 * alpha),
        np.full((count, 1), 3.0 * alpha),
        np.zeros((count, 3)),
        np.zeros(count),
    )


def test_children_know_their_parent_and_how_it_was_split() -> None:
    recorder = Recorder.of_root(nodes(1, 0.5))
    names = recorder.add(nodes(2, 0.25), [0], np.array([1]))
    assert names == [1, 2]
    deeper = recorder.add(nodes(4, 0.125), [1, 2], np.array([0, 0]))
    assert deeper == [3, 4, 5, 6]
    record = recorder.finish(0.75)
    assert len(record) == 7
    assert record.radius == 0.75
    assert record.parent.tolist() == [-1, 0, 0, 1, 2, 1, 2]
    assert record.neuron.tolist() == [0, 1, 1, 0, 0, 0, 0]
    assert record.phase.tolist() == [0, 1, -1, 1, 1, -1, -1]


def test_better_multipliers_replace_those_of_the_node() -> None:
    recorder = Recorder.of_root(nodes(1, 0.5))
    recorder.add(nodes(2, 0.25), [0], np.array([1]))
    recorder.improve(1, nodes(3, 0.75), 2)
    recorder.certify_by_solver(2)
    record = recorder.finish(1.0)
    assert record.alpha[:, 0].tolist() == [0.5, 0.75, 0.25]
    assert record.beta[:, 1].tolist() == [1.0, 1.5, 0.5]
    assert record.row_multipliers[:, 0].tolist() == [1.5, 2.25, 0.75]
    assert record.solver_certified.tolist() == [False, False, True]


def test_the_slope_of_a_stable_neuron_is_its_own() -> None:
    recorder = Recorder()
    recorder.add_root(nodes(1, 0.5, low=0.0))
    recorder.add_root(nodes(1, 0.5, high=0.0))
    assert recorder.finish(1.0).alpha.tolist() == [[1.0, 1.0], [0.0, 0.0]]


def test_rounds_of_the_root_are_kept_in_order() -> None:
    recorder = Recorder()
    for alpha in (0.25, 0.5):
        recorder.round(nodes(1, alpha))
    recorder.add_root(nodes(1, 0.75))
    assert [float(alpha[0]) for alpha, _, _ in recorder.finish(1.0).rounds] == [0.25, 0.5]


def test_an_observer_that_keeps_nothing_gives_names_all_the_same() -> None:
    assert NOBODY.add_root(nodes(1, 0.5)) == 0
    assert len(NOBODY.add(nodes(2, 0.5), [0], np.array([1]))) == 2
