"""Options of a ground truth."""

from __future__ import annotations

from math import inf, nan

import pytest
from plane_questions import CENTRE, three_classes

from marapatch.errors import InputError
from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.options import GroundTruthOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": -1.0}, "tolerance"),
        ({"tolerance": nan}, "tolerance"),
        ({"tolerance": inf}, "tolerance"),
        ({"margin": -1.0}, "margin"),
        ({"margin": nan}, "margin"),
        ({"timeout": 0.0}, "timeout"),
        ({"timeout": nan}, "timeout"),
        ({"timeout": inf}, "timeout"),
        ({"query_timeout": -3.0}, "query_timeout"),
        ({"search": "guess"}, "search 'guess' is not one of"),
        ({"encoding": "sum"}, "encoding 'sum' is not one of"),
        ({"backend": "gurobi"}, "backend 'gurobi' is not"),
        ({"jobs": 0}, "jobs"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ground_truth(three_classes(), CENTRE, options=GroundTruthOptions(**options))  # type: ignore[arg-type]
