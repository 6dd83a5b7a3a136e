"""Targets one after the other: what is reported, interrupted, and shared among processes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf

from plane_questions import CENTRE, OPTIONS, check, optimum, three_classes

from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.result import Progress


def test_an_interrupt_returns_what_is_known() -> None:
    seen: list[Progress] = []

    def interrupt(progress: Progress) -> None:
        seen.append(progress)
        if progress.upper < inf and len(seen) > 1:
            raise KeyboardInterrupt

    result = ground_truth(three_classes(), CENTRE, options=OPTIONS, progress=interrupt)
    assert result.interrupted
    assert seen
    assert result.lower <= 0.25 <= result.upper
    assert result.upper < inf
    assert len(result.targets) == 3


def test_an_interrupt_at_the_first_report_loses_no_witness() -> None:
    def interrupt(progress: Progress) -> None:
        if progress.upper < inf:
            raise KeyboardInterrupt

    result = ground_truth(three_classes(), CENTRE, options=OPTIONS, progress=interrupt)
    assert result.interrupted
    assert 0.0 < result.lower <= 0.25 <= result.upper < inf


def test_an_interrupt_of_the_attacks_keeps_what_bounds_proved_before() -> None:
    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    result = ground_truth(three_classes(), CENTRE, options=OPTIONS, progress=interrupt)
    assert result.interrupted
    assert 0.0 < result.lower <= 0.25
    assert result.upper == inf


def test_progress_tightens_target_by_target() -> None:
    seen: list[Progress] = []
    ground_truth(three_classes(), CENTRE, options=OPTIONS, each_target=True, progress=seen.append)
    assert {p.targets_total for p in seen} == {3}
    assert {p.target for p in seen} == {1, 2, 3}
    for target in (1, 2, 3):
        mine = [p for p in seen if p.target == target]
        assert all(a.lower <= b.lower for a, b in pairwise(mine))
        assert all(a.upper >= b.upper for a, b in pairwise(mine))
    assert all(a.seconds <= b.seconds for a, b in pairwise(seen))


def test_several_processes_give_the_same_brackets() -> None:
    network = three_classes()
    options = replace(OPTIONS, jobs=2, nodes=4000)
    result = ground_truth(network, CENTRE, options=options, each_target=True)
    for one in result.targets:
        check(one, optimum(network, one.target))
