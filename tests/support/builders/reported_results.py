"""Results of ground truths to be reported."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import numpy as np

from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.groundtruth.result import GroundTruth, TargetResult
from marapatch.network.graph import Source, dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import Rule
from marapatch.problem.norm import Norm
from marapatch.problem.verdict import Evidence, Witness
from marapatch.search.options import QueryRecord

NETWORK = replace(
    dense_network([np.eye(4, 2)], [np.zeros(4)]),
    source=Source("net.onnx", "ab" * 32, "onnx"),
)


QUERY = QueryRecord(0.125, "unknown: timeout", 1.5, 10, 20, 3, "marabou")


def witness(distance: float) -> Witness:
    return Witness(np.array([0.5, distance], np.float32), distance, 0.25, np.zeros(4), True)


def target(number: int, lower: float, upper: float = inf, **more: Any) -> TargetResult:
    found = None if upper == inf else witness(upper)
    return TargetResult(number, Bracket(lower, Evidence.SOLVER, found), (QUERY,), 2.0, **more)


def result(*targets: TargetResult, **more: Any) -> GroundTruth:
    settings = {
        "network": NETWORK,
        "image": np.array([0.5, 0.0], np.float32),
        "norm": Norm.LINF,
        "label": 0,
        "decided": 0,
        "targets": targets,
        "options": GroundTruthOptions(tolerance=0.01),
        "seconds": 3.0,
        "nearest_only": True,
        "ball": Ball(np.array([0.5, 0.0]), np.zeros(2), np.ones(2), Norm.LINF, inf),
        "rule": Rule.ARGMAX,
        **more,
    }
    return GroundTruth(**settings)


OPEN = result(target(1, 0.125, 0.5, note="timeout"))


UNFOUND = result(target(1, 0.125))


NONE = result(target(1, inf))


ALREADY = result(decided=3, own=witness(0.0))


NEAREST = result(target(1, 0.125, 0.13), target(2, 0.124), target(3, inf))


EACH = result(target(1, 0.125, 0.13), target(2, 0.124), nearest_only=False)
