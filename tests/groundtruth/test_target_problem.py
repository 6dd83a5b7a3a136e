"""A question a target, and no more of them than there is time for."""

from __future__ import annotations

import pytest
from many_targets import IMAGE, wide

from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.groundtruth.target_problem import TOO_LATE, TargetProblem
from marapatch.groundtruth.targets import TargetSearch


def test_the_number_of_questions_posed_does_not_grow_with_the_targets_out_of_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A question of one of a thousand classes has a million entries: it is made when asked."""
    posed: list[int] = []
    question = TargetProblem.question

    def counted(self: TargetProblem, target: int) -> object:
        posed.append(target)
        return question(self, target)

    monkeypatch.setattr(TargetProblem, "question", counted)
    monkeypatch.setattr(TargetSearch, "attack", lambda self, init: None)
    options = GroundTruthOptions(timeout=1e-9)
    result = ground_truth(wide(60), IMAGE, label=None, options=options)
    assert len(posed) == 0
    assert {t.note for t in result.targets} == {TOO_LATE}
