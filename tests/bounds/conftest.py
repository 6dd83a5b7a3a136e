"""Bounds for the tests of this folder."""

from __future__ import annotations

import pytest
from small_networks import small_case

from marapatch.bounds.bounds import Bounds
from marapatch.bounds.crown import linear_bounds


@pytest.fixture
def bounds() -> Bounds:
    case = small_case(0, ("plain",))
    return linear_bounds(case.network.standard_form, case.ball.with_radius(0.25))
