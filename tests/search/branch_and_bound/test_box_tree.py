"""Halved boxes are counted, and are no more than asked."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from counted_searches import between, wide_network

from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.problem.question import Question
from marapatch.problem.replay import Replay
from marapatch.problem.verdict import Unknown
from marapatch.search.branch_and_bound import box_tree
from marapatch.search.branch_and_bound.input_tree import InputSplit
from marapatch.verification.property_search import covering_radius


def test_halved_boxes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_tree, "MANY_NEURONS", 0)
    network = wide_network(4)
    options = GroundTruthOptions(nodes=60, tolerance=1e-9)
    result = ground_truth(network, np.full(4, 0.5), options=options)
    assert all(query.backend == "tree" for query in result.queries)
    assert 0 < sum(t.nodes for t in result.targets) <= 90


def test_boxes_are_halved_no_further_than_asked() -> None:
    network = wide_network(4)
    condition = between(network, 0.2)
    ball = covering_radius(np.zeros(4), np.ones(4), network.input_dtype)
    replay = Replay(network, ball, condition)
    split = InputSplit(Question(network.standard_form, ball, condition, replay))
    for _ in range(3):
        before = split.bounded
        verdict = split.advance(inf, 10)
        if not isinstance(verdict, Unknown):
            break
        assert verdict.reason.startswith("the limit of sub-problems is reached")
        assert before < split.bounded <= before + 11  # a box has two halves
    assert split.bounded > 10
