"""Shares of limits: what is not limited stays so."""

from __future__ import annotations

from math import inf

from marapatch.search.budget import Limit


def test_what_is_not_limited_stays_so_in_every_share() -> None:
    assert Limit().share(0.0, 5) == Limit()
    assert Limit(nodes=25.0).share(0.5, 5) == Limit(nodes=15.0)
    assert not Limit().finite
    assert Limit(nodes=5.0).over(5)
    assert not Limit(nodes=5.0).over(4)
    assert Limit(until=-inf).over(0)
