"""A problem at one moment, immutable: what is declared and defined, and what is required."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marapatch.modelling.conditions import AnyOf, AtMostNonzero
from marapatch.modelling.definitions import Declared, Definition
from marapatch.modelling.expressions import Comparison

Requirement = Comparison | AnyOf | AtMostNonzero


@dataclass(frozen=True, eq=False)
class Model:
    """``definitions`` with the column each begins at, and conditions over ``columns`` columns."""

    definitions: tuple[tuple[int, Definition], ...]
    conditions: tuple[Requirement, ...]
    columns: int

    @property
    def declared(self) -> tuple[tuple[slice, Declared], ...]:
        """The declared arrays and the columns of each."""
        return tuple(
            (slice(start, start + definition.lower.size), definition)
            for start, definition in self.definitions
            if isinstance(definition, Declared)
        )

    @property
    def is_declared(self) -> NDArray[np.bool_]:
        """Whether each column is a declared variable: (columns,)."""
        mask = np.zeros(self.columns, dtype=bool)
        for span, _ in self.declared:
            mask[span] = True
        return mask


def entry_name(definition: Declared, entry: int) -> str:
    """The name of one entry of a declared array, as in ``x[0,1]``."""
    if not definition.shape:
        return definition.name
    index = ",".join(str(int(i)) for i in np.unravel_index(entry, definition.shape))
    return f"{definition.name}[{index}]"
