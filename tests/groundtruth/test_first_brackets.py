"""What every target gets first: a lower end, then attacks, while there is time."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from many_targets import IMAGE, wide

from marapatch.groundtruth import first_brackets
from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.first_brackets import FirstWitnesses
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.groundtruth.targets import TargetSearch
from marapatch.problem.verdict import Evidence


def test_a_lower_end_is_proved_before_the_attacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever time these and the searches then take."""
    monkeypatch.setattr(TargetSearch, "attack", lambda self, init: None)
    monkeypatch.setattr(TargetSearch, "run", lambda self: None)
    result = ground_truth(wide(30), IMAGE)
    assert all(target.lower > 0.0 for target in result.targets)
    assert result.evidence is Evidence.BOUND
    assert not result.closed


def test_a_record_stands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a tree does not prove is not in its bracket."""
    monkeypatch.setattr(TargetSearch, "attack", lambda self, init: None)
    monkeypatch.setattr(TargetSearch, "run", lambda self: None)
    result = ground_truth(wide(3), IMAGE, options=GroundTruthOptions(record=True))
    assert result.lower == 0.0


def test_many_targets_are_attacked_in_blocks_and_the_rest_where_there_is_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks: list[list[int]] = []
    attack = FirstWitnesses._attack

    def watched(self: FirstWitnesses, targets: list[int], *more: object) -> None:
        blocks.append(targets)
        attack(self, targets, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(FirstWitnesses, "_attack", watched)
    monkeypatch.setattr(first_brackets, "ATTACKED_TARGETS", 7)
    network = wide(20)
    outputs = network.evaluate(IMAGE)[0]
    result = ground_truth(network, IMAGE, options=GroundTruthOptions(nodes=1, backend="highs"))
    assert [len(block) for block in blocks] == [7, 7, 5]
    leading = np.argsort(-outputs)[1:8]
    assert sorted(leading.tolist()) == blocks[0]
    assert result.upper < inf
