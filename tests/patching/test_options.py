"""Options of a patch: what is out of range is named, and shares are of what is left."""

from __future__ import annotations

from math import inf, nan
from time import monotonic
from typing import Any

import pytest

from marapatch.errors import InputError
from marapatch.patching.options import PatchOptions
from marapatch.search.budget import Limit


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"tolerance": 0.0}, "tolerance"),
        ({"tolerance": inf}, "tolerance"),
        ({"timeout": nan}, "timeout"),
        ({"query_timeout": -1.0}, "query_timeout"),
        ({"nodes": 0}, "nodes"),
        ({"search": "guess"}, "search 'guess'"),
        ({"backend": "none"}, "backend 'none'"),
        ({"engine": "steam"}, "engine 'steam'"),
        ({"encoding": "l2"}, "encoding 'l2'"),
    ],
)
def test_options_out_of_range_are_named(given: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        PatchOptions(**given)


def test_under_the_published_engine_answers_are_the_backend_s_alone() -> None:
    limit = Limit()
    assert PatchOptions().for_search(limit, 0, 0.1).bounds
    assert not PatchOptions(search="bisection").for_search(limit, 0, 0.1).bounds
    assert PatchOptions(search="bisection", bounds=True).for_search(limit, 0, 0.1).bounds


def test_a_search_gets_what_is_left() -> None:
    options = PatchOptions(seed=3).for_search(Limit(monotonic() + 5.0, 100), 40, 0.25)
    assert (options.nodes, options.tolerance, options.seed) == (60, 0.25, 3)
    assert 0.0 < options.timeout <= 5.0
    assert PatchOptions().for_search(Limit(), 7, 0.25).nodes is None
    assert PatchOptions().for_search(Limit(inf, 10), 10, 0.25).nodes == 1
