"""Searches for the least distance: each takes a question and a bracket and tightens it."""

from collections.abc import Mapping
from types import MappingProxyType

from marapatch.search.bisection import bisection
from marapatch.search.branch_and_bound.driver import tree
from marapatch.search.descent import descent
from marapatch.search.options import Search

SEARCHES: Mapping[str, Search] = MappingProxyType(
    {"tree": tree, "descent": descent, "bisection": bisection}
)
"""Every search by the name under which people choose it."""
