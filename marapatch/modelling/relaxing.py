"""A model that takes in every solution there may be: conditions may be missed by a tolerance."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import scipy.sparse as sp

from marapatch.modelling.conditions import AnyOf, AtMostNonzero
from marapatch.modelling.definitions import Declared, Definition
from marapatch.modelling.expressions import Comparison
from marapatch.modelling.matrices import widened
from marapatch.modelling.model import Model, Requirement


def relaxed(model: Model, tolerance: float) -> Model:
    """``model`` with every condition enlarged by ``tolerance``, rounded outward.

    What :func:`~marapatch.modelling.replaying.replay` takes for a solution of ``model`` meets
    every condition of the result; bounds of declared variables stay, for a solution meets those.
    Entries whose number of non-zeros is limited get one more declared variable each, of at most
    ``tolerance``: what they differ from 0 by and still count as 0.
    """
    if tolerance == 0.0:
        return model
    definitions: list[tuple[int, Definition]] = list(model.definitions)
    conditions: list[Requirement] = []
    columns = model.columns
    for condition in model.conditions:
        match condition:
            case Comparison():
                conditions += _enlarged(condition, tolerance)
            case AnyOf(cases=cases):
                wider = (
                    tuple(c for part in case for c in _enlarged(part, tolerance)) for case in cases
                )
                conditions.append(AnyOf(tuple(wider)))
            case AtMostNonzero(expression=expression, limit=limit):
                ends = np.full(expression.size, tolerance)
                definitions.append((columns, Declared("miss", (expression.size,), -ends, ends)))
                own = sp.eye_array(expression.size, format="csr")
                matrix = sp.hstack([widened(expression.matrix, columns), own], format="csr")
                columns += expression.size
                near = replace(expression, matrix=sp.csr_array(matrix))
                conditions.append(AtMostNonzero(near, limit))
    return Model(tuple(definitions), tuple(conditions), columns)


def _enlarged(comparison: Comparison, tolerance: float) -> list[Comparison]:
    """Comparisons that hold wherever ``comparison`` is missed by at most ``tolerance``."""
    form, found = comparison.expression, []
    if comparison.sense != ">=":
        less = np.nextafter(form.constant - tolerance, -inf)
        found.append(Comparison(replace(form, constant=less), "<="))
    if comparison.sense != "<=":
        more = np.nextafter(form.constant + tolerance, inf)
        found.append(Comparison(replace(form, constant=more), ">="))
    return found
