"""Open nodes dealt out and worked on elsewhere: nothing of the tree is lost."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from digit_questions import digit_question
from expanded_trees import OPTIONS, expanded

from marapatch.problem.norm import PROVED, Norm
from marapatch.search.branch_and_bound.parts import ENOUGH, enough, resume
from marapatch.search.branch_and_bound.relu_tree import ReluTree
from marapatch.search.branch_and_bound.workers import Part
from marapatch.solvers import create


@pytest.mark.parametrize("norm", PROVED, ids=lambda norm: norm.value)
def test_parts_worked_on_apart_refute_what_the_whole_does(norm: Norm) -> None:
    question, start = digit_question(norm, 7, 1)
    tree = expanded(question, start, replace(OPTIONS, nodes=60), 1 << 30)
    dealt = tree.open_nodes.nodes()
    least = tree.open_nodes.least(tree.target)
    assert len(dealt) > 1
    floors = []
    for k in range(2):
        backend = create("highs")
        other = ReluTree(question, start, backend, OPTIONS, lambda *_: None)
        common = question, tree.root_state.bounds, "highs", OPTIONS, tree.bracket
        part = Part(*common, tree.target, dealt[k::2], inf, 60.0)
        found = resume(other, part)
        backend.close()
        assert found.bounded >= 1
        open_radii = [node.radius for node in found.open]
        floors.append(min([*open_radii, *found.unresolved, tree.target]))
    assert min(floors) >= least * (1.0 - 1e-12)  # no part is worse than what it began with


def test_few_nodes_are_not_worth_dealing_out() -> None:
    class Two:
        jobs = 2

    assert not enough(2 * ENOUGH - 1, Two())  # type: ignore[arg-type]
    assert enough(2 * ENOUGH, Two())  # type: ignore[arg-type]
