"""The nearest over all targets, and how it is known."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from plane_questions import CENTRE, OPTIONS, check, optimum, three_classes

from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.result import TargetResult
from marapatch.problem.norm import PROVED, Norm
from marapatch.problem.verdict import Evidence


@pytest.mark.parametrize("norm", PROVED)
def test_each_target_gets_its_own_bracket(norm: Norm) -> None:
    network = three_classes()
    result = ground_truth(network, CENTRE, norm=norm, each_target=True, options=OPTIONS)
    for one in result.targets:
        check(one, optimum(network, one.target, norm))
    assert result.closed
    by_target = {t.target: t for t in result.targets}
    assert by_target[3].lower == inf  # -x0 + 0.125 is never 0.5


def test_the_weakest_evidence_over_all_targets_is_reported() -> None:
    """Target 3 needs a solver or a tree, target 1 may be closed by bounds: the answer rests on
    both."""
    network = three_classes()
    result = ground_truth(network, CENTRE, options=replace(OPTIONS, search="descent"))
    grades = [t.evidence for t in result.targets]
    assert result.evidence is Evidence.weakest(*grades)
    unreachable = ground_truth(
        network, CENTRE, target=[3], box=(0.45, 0.55), options=replace(OPTIONS, search="descent")
    )
    assert unreachable.lower == inf
    strong = replace(unreachable.targets[0].bracket, evidence=Evidence.BOUND)
    weak = replace(unreachable.targets[0].bracket, evidence=Evidence.SOLVER)
    both = tuple(TargetResult(t, bracket, (), 0.0) for t, bracket in enumerate((strong, weak), 1))
    assert replace(unreachable, targets=both).evidence is Evidence.SOLVER
    assert replace(unreachable, targets=both[::-1]).evidence is Evidence.SOLVER
