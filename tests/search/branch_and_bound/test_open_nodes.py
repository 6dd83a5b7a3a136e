"""The queue of open nodes, where memory runs short."""

from __future__ import annotations

from dataclasses import replace

import pytest
from digit_questions import digit_question
from expanded_trees import OPTIONS, TOLERANCE, expanded
from small_networks import small_case

from marapatch.problem.bracket import Bracket
from marapatch.problem.norm import PROVED, Norm
from marapatch.search.branch_and_bound import relu_tree as phase_tree
from marapatch.search.branch_and_bound.relu_tree import ReluTree


@pytest.mark.parametrize("seed", range(6))
def test_without_memory_for_open_nodes_the_answer_is_the_same(seed: int) -> None:
    case = small_case(seed, ("plain",))
    for norm in PROVED:
        question = replace(case.question, ball=replace(case.question.ball, norm=norm))
        best = expanded(question, Bracket(), OPTIONS, memory=1 << 30).bracket
        deep = expanded(question, Bracket(), OPTIONS, memory=0).bracket
        assert deep.upper == pytest.approx(best.upper, abs=2.0 * TOLERANCE)
        assert deep.lower == pytest.approx(best.lower, abs=2.0 * TOLERANCE)


def test_without_memory_fewer_nodes_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Depth-first: what is open is a path, not a wide queue."""
    question, start = digit_question(Norm.LINF, 0, 9)
    most = {}
    raise_lower = ReluTree._raise
    for memory in (1 << 30, 0):
        sizes: list[int] = []

        def watched(self: ReluTree, sizes: list[int] = sizes) -> None:
            sizes.append(len(self.open_nodes))
            raise_lower(self)

        monkeypatch.setattr(ReluTree, "_raise", watched)
        monkeypatch.setattr(phase_tree, "BATCH_NODES", 4)
        assert expanded(question, start, OPTIONS, memory).bracket.closed(TOLERANCE)
        most[memory] = max(sizes)
    assert most[0] < most[1 << 30]
