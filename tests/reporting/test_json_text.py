"""Plain JSON, which has no infinity."""

from __future__ import annotations

import json
from math import inf

import pytest
from reported_results import ALREADY, EACH, NEAREST, NONE, OPEN, UNFOUND

from marapatch.groundtruth.report import to_json
from marapatch.groundtruth.result import GroundTruth
from marapatch.reporting.json_text import dump


@pytest.mark.parametrize("what", [OPEN, UNFOUND, NONE, ALREADY, NEAREST, EACH])
def test_infinity_is_null_in_the_json(what: GroundTruth) -> None:
    report = json.loads(dump(to_json(what)))
    assert report["lower"] == (None if what.lower == inf else what.lower)
    assert report["upper"] == (None if what.upper == inf else what.upper)
