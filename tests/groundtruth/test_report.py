"""Reports say what is known, no more, in tables and in JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf

import numpy as np
import pytest
from reported_results import ALREADY, EACH, NEAREST, NONE, OPEN, UNFOUND, result, target, witness
from rich.console import Console

from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.groundtruth.report import remarks, status, summary, table, target_status, to_json
from marapatch.groundtruth.result import GroundTruth
from marapatch.network.graph import dense_network
from marapatch.problem.bracket import Bracket
from marapatch.problem.verdict import Evidence
from marapatch.reporting.json_text import dump

CLOSED = result(target(1, 0.125, 0.13))


@pytest.mark.parametrize(
    ("what", "expected", "targets"),
    [
        (CLOSED, "closed", ["closed"]),
        (OPEN, "open", ["open"]),
        (UNFOUND, "open", ["open"]),
        (NONE, "none", ["none"]),
        (ALREADY, "already", []),
        (NEAREST, "closed", ["closed", "farther", "none"]),
        (EACH, "open", ["closed", "open"]),
    ],
)
def test_status(what: GroundTruth, expected: str, targets: list[str]) -> None:
    assert status(what) == expected
    assert [target_status(what, t) for t in what.targets] == targets


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        (
            CLOSED,
            "nearest input decided as 1 instead of 0: L-inf distance in [0.125000, 0.130001] "
            "(solver)",
        ),
        (
            UNFOUND,
            "nearest input decided as 1 instead of 0: L-inf distance at least 0.125000 (solver); "
            "none was found",
        ),
        (NONE, "proved (solver): no input in the box is decided as 1"),
        (ALREADY, "already decided 3, not 0: the L-inf distance is 0"),
        (
            NEAREST,
            "nearest input decided as another class instead of 0: L-inf distance in "
            "[0.123999, 0.130001] (solver), found as 1",
        ),
    ],
)
def test_the_answer_in_a_sentence(what: GroundTruth, sentence: str) -> None:
    assert summary(what) == sentence


def test_the_table_has_a_row_a_target() -> None:
    console = Console(width=120, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(table(result(target(1, 0.1, 0.5, note="timeout"), target(3, inf))))
    # 0.1 is a little above 1/10 in float64; 0.5 - 0.1 is not 0.4, and a gap is rounded up
    assert [" ".join(line.split()) for line in captured.get().splitlines()] == [
        "target lower upper gap queries seconds evidence status",
        "1 0.100000 0.500000 0.400001 1 2.0 solver open",
        "3 inf inf 0 1 2.0 solver none",
    ]


def test_what_an_open_bracket_and_a_doubtful_witness_say() -> None:
    assert remarks(CLOSED) == remarks(NEAREST) == []
    assert remarks(OPEN) == ["target 1: timeout"]
    doubtful = replace(witness(0.13), confirmed=False)
    (found,) = CLOSED.targets
    doubted = replace(found, bracket=replace(found.bracket, witness=doubtful))
    (line,) = remarks(result(doubted))
    assert "onnxruntime decides it otherwise" in line


def test_the_json_says_everything() -> None:
    about = {"decision": "argmax", "image": {"path": "a.npy"}, "versions": {"numpy": "2"}}
    report = json.loads(dump(to_json(CLOSED, witness="w.npy", witnesses={1: "w.npy"}, **about)))
    assert report["schema_version"] == 1
    assert report["status"] == "closed"
    assert (report["norm"], report["label"], report["decision"]) == ("linf", 0, "argmax")
    assert (report["lower"], report["upper"], report["evidence"]) == (0.125, 0.13, "solver")
    assert report["witness"] == "w.npy"
    assert report["network"]["sha256"] == "ab" * 32
    assert report["image"] == {"path": "a.npy"}
    assert report["versions"] == {"numpy": "2"}
    (entry,) = report["targets"]
    assert entry == {
        "target": 1,
        "status": "closed",
        "lower": 0.125,
        "upper": 0.13,
        "evidence": "solver",
        "witness": "w.npy",
        "witness_margin": 0.25,
        "witness_confirmed": True,
        "witness_input": [0.5, float(np.float32(0.13))],
        "queries": [
            {
                "radius": 0.125,
                "verdict": "unknown: timeout",
                "seconds": 1.5,
                "variables": 10,
                "rows": 20,
                "relus": 3,
                "backend": "marabou",
            }
        ],
        "nodes": 0,
        "seconds": 2.0,
        "note": "",
    }


def test_every_option_is_in_the_json() -> None:
    options = to_json(CLOSED)["options"]
    assert set(options) == set(GroundTruthOptions.__dataclass_fields__)
    assert options["tolerance"] == 0.01
    assert options["evidence"] == "solver"


def test_of_very_many_targets_the_nearest_have_a_row_and_the_rest_one_line() -> None:
    """A network of a thousand classes prints no thousand lines."""
    rng = np.random.default_rng(0)
    classes = 40
    network = dense_network([rng.normal(size=(classes, 2))], [rng.normal(size=classes)])
    options = GroundTruthOptions(nodes=1, backend="highs")
    truth = ground_truth(network, np.full(2, 0.5), each_target=True, options=options)
    left = [
        replace(t, bracket=Bracket(0.01, Evidence.BOUND), note="out of time") for t in truth.targets
    ]
    many = replace(truth, targets=tuple(left))
    assert table(many).row_count == 30
    assert remarks(many) == [
        "9 more targets, none with a nearer witness: see --json",
        "39 targets: out of time",
    ]
