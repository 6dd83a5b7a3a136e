"""Targets in processes of their own."""

from __future__ import annotations

from math import inf

from many_targets import IMAGE, wide

from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.groundtruth.target_problem import TOO_LATE, TargetProblem
from marapatch.groundtruth.target_processes import TargetPool
from marapatch.groundtruth.targets import TargetSearch
from marapatch.problem.conditions import Rule
from marapatch.problem.input_ball import ball_of
from marapatch.problem.norm import Norm
from marapatch.search.budget import Limit


class NoPool:
    """Stands for the processes; nothing may be asked of it."""

    def submit(self, *task: object) -> None:
        raise AssertionError("a search is begun for which there is no time")


def test_out_of_time_no_search_is_handed_to_a_process() -> None:
    """A task holds the network: a thousand of them take far longer than the searches."""
    options = GroundTruthOptions(timeout=1.0)
    network = wide(8)
    ball, _ = ball_of(network, IMAGE, Norm.LINF, None, None)
    asked = TargetProblem(
        network, ball, Rule.ARGMAX, 0.0, "tree", "highs", options.for_search(), True
    )
    search = TargetSearch(asked, tuple(range(1, 8)), -inf, lambda *_: None, jobs=2)
    pool = TargetPool(NoPool(), asked)  # type: ignore[arg-type]
    search._parallel(list(search.targets), Limit(until=-inf), pool)
    assert {found.note for found in search.found.values()} == {TOO_LATE}
    assert pool.late == []
