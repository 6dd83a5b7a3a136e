"""Trees in several processes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from digit_questions import digit_question
from expanded_trees import OPTIONS, TOLERANCE

from marapatch.problem.norm import PROVED, Norm
from marapatch.problem.verdict import Evidence
from marapatch.search.branch_and_bound import parts as tree_parts
from marapatch.search.branch_and_bound.driver import tree
from marapatch.search.branch_and_bound.relu_tree import ReluTree
from marapatch.solvers import create


@pytest.mark.parametrize("norm", PROVED, ids=lambda norm: norm.value)
def test_two_processes_prove_what_one_proves(norm: Norm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_parts, "ENOUGH", 1)
    monkeypatch.setattr(tree_parts, "WORKER_SECONDS", 0.5)
    shared = []
    share = ReluTree._share

    def counted(self: ReluTree, workers: object) -> None:
        shared.append(len(self.open_nodes))
        share(self, workers)  # type: ignore[arg-type]

    monkeypatch.setattr(ReluTree, "_share", counted)
    question, start = digit_question(norm, 1, 8)
    several = replace(OPTIONS, jobs=2, tolerance=TOLERANCE if norm is Norm.LINF else 1.2)
    one = replace(several, jobs=1)
    brackets = [
        tree(question, start, create("highs"), options, lambda *_: None).bracket
        for options in (one, several)
    ]
    assert shared
    assert all(bracket.closed(one.tolerance) for bracket in brackets)
    assert all(bracket.evidence is Evidence.BOUND for bracket in brackets)
    assert brackets[0].lower <= brackets[1].upper
    assert brackets[1].lower <= brackets[0].upper
