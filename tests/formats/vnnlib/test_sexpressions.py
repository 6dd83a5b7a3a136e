"""S-expressions: what parentheses mean."""

from __future__ import annotations

import pytest
from property_files import declared

from marapatch.formats.vnnlib.reader import parse_property


@pytest.mark.parametrize("wrapped", ["((<= Y_0 1))", "(((<= Y_0 1)))", "(<= ((+ Y_0 0)) 1)"])
def test_parentheses_around_parentheses_change_nothing(wrapped: str) -> None:
    read = parse_property(declared(1, 1) + f"(assert (and (>= Y_0 0) {wrapped}))")
    assert read.holds([0.0], [1.0])
    assert not read.holds([0.0], [1.5])
