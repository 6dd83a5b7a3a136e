"""Reports as JSON text: one spelling of what JSON has no word for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from math import isfinite
from typing import Any


def dump(report: Mapping[str, Any]) -> bytes:
    """The text of a report; ValueError where a number in it is not finite."""
    return (json.dumps(report, indent=2, allow_nan=False) + "\n").encode()


def finite(value: float) -> float | None:
    """A number, or None (null) where it is infinite or NaN."""
    return value if isfinite(value) else None


def plain(value: Any) -> Any:
    """The name of a member of an enumeration; anything else as it is."""
    return value.value if isinstance(value, Enum) else value
