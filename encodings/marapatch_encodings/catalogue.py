"""The catalogue of encodings, written from their docstrings.

``python -m marapatch_encodings.catalogue`` writes the table of encodings/README.md. A docstring
takes part through lines that begin with ``Formula:``, ``Cost:``, ``Exact:`` and ``Source:``; each
entry goes on until the next such key, ``Raises:``, or an empty line.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from inspect import getdoc
from types import MappingProxyType
from typing import Any

from marapatch_encodings.absolute import absolute, absolute_native
from marapatch_encodings.cardinality import cardinality
from marapatch_encodings.clip import clip
from marapatch_encodings.decision import (
    any_of,
    beats,
    each_beats,
    linear_condition,
    one_beats,
    untargeted,
)
from marapatch_encodings.l1_ball import l1_ball_abs, l1_ball_relu, l1_ball_split, l1_radius
from marapatch_encodings.leaky import leaky
from marapatch_encodings.linear import linear
from marapatch_encodings.linf_ball import linf_ball, linf_radius
from marapatch_encodings.maximum import maximum, maximum_native
from marapatch_encodings.relu import relu
from marapatch_encodings.terms import Encoding

ENCODINGS: tuple[Callable[..., Encoding], ...] = (
    linear,
    relu,
    leaky,
    clip,
    absolute,
    absolute_native,
    maximum,
    maximum_native,
    linf_ball,
    linf_radius,
    l1_ball_relu,
    l1_ball_abs,
    l1_ball_split,
    l1_radius,
    cardinality,
    beats,
    each_beats,
    one_beats,
    untargeted,
    linear_condition,
    any_of,
)
"""Every encoding of the package, in the order of the catalogue."""

COLUMNS = MappingProxyType(
    {
        "Formula": "formula",
        "Cost": "cost",
        "Exact": "exact?",
        "Source": "source",
    }
)
"""The keys a docstring must have, with the heading of their column."""

_KEY = re.compile(r"^(Formula|Cost|Exact|Source|Raises): (.*)$")


def entries(encoding: Callable[..., Any]) -> dict[str, str]:
    """The keyed entries of an encoding's docstring, each on one line.

    Raises ValueError where one of :data:`COLUMNS` is missing.
    """
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (getdoc(encoding) or "").splitlines():
        key = _KEY.match(line)
        if key:
            lines = found.setdefault(key[1], [])
            lines.append(key[2])
        elif line.strip():
            lines.append(line.strip())
        else:
            lines = []
    missing = [key for key in COLUMNS if key not in found]
    if missing:
        raise ValueError(f"the docstring of {encoding.__name__} lacks {', '.join(missing)}")
    return {key: " ".join(parts) for key, parts in found.items()}


def catalogue() -> str:
    """The catalogue as a Markdown table, one row an encoding."""
    rows = [("encoding", *COLUMNS.values()), ("---",) * (1 + len(COLUMNS))]
    for encoding in ENCODINGS:
        known = entries(encoding)
        cells = (known[key].replace("``", "`").replace("|", r"\|") for key in COLUMNS)
        rows.append((f"`{encoding.__name__}`", *cells))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


if __name__ == "__main__":
    sys.stdout.write(catalogue())
