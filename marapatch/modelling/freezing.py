"""From a problem to a frozen query: encodings chosen, stable parts substituted away.

Every choice keeps the set of values of the declared variables (exact), or enlarges it where a
convex function is only bounded from above or minimised (then a value of its column may exceed the
function's; whoever reads a solution computes it anew). So ``unsat`` is always right.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from marapatch.arithmetic.float_model import gamma
from marapatch.errors import InputError
from marapatch.modelling.conditions import AnyOf, AtMostNonzero
from marapatch.modelling.definitions import (
    AbsoluteOf,
    ClipOf,
    Declared,
    Definition,
    LeakyOf,
    MaximumOf,
    NetworkOf,
    NormOf,
    ReluOf,
    size_of,
)
from marapatch.modelling.encoding import add_entrywise, add_maximum, add_norm
from marapatch.modelling.expressions import Comparison, Expression
from marapatch.modelling.forms import Forms
from marapatch.modelling.model import Model, Requirement, entry_name
from marapatch.modelling.networks import Enclosure, lower_network, norm_limit, output_bounds
from marapatch.modelling.polarity import polarity
from marapatch.network.layers import Array
from marapatch.query.intervals import propagate
from marapatch.query.query import Assignment, Query
from marapatch.query.reduction import reduce
from marapatch_encodings import cardinality
from marapatch_encodings.terms import Disjunction, Variable

INFERENCES = 10
"""How often missing bounds are inferred anew at most: each time may help a network's outputs."""


@dataclass(frozen=True, eq=False)
class Frozen:
    """A query and how it speaks of the problem.

    ``declared``: the columns of declared variables; ``variables``: the query's variable for each.
    ``objective``: coefficients over the query's variables, and a constant, of the expression
    asked for (zero where none was).
    """

    query: Query
    declared: NDArray[np.int64]
    variables: NDArray[np.int64]
    objective: tuple[Array, float]

    def values(self, assignment: Assignment) -> Array:
        """The values of the declared variables, in the order of ``declared``, within bounds."""
        raw = np.asarray(assignment)[self.variables]
        return np.clip(raw, self.query.lower[self.variables], self.query.upper[self.variables])


def freeze(model: Model, objective: Expression | None = None) -> Frozen | None:
    """The query of ``model``; None where interval propagation proves that it has no solution.

    Missing bounds of declared variables are inferred by interval propagation (outward-rounded).
    Raises :class:`~marapatch.errors.InputError`, naming the variable, where they do not follow.
    """
    bounds = declared_bounds(model)
    if bounds is None:
        return None
    for span, definition in model.declared:
        for side, array in zip(("lower", "upper"), bounds, strict=True):
            missing = ~np.isfinite(array[span])
            if missing.any():
                raise InputError(
                    f"variable {entry_name(definition, int(np.argmax(missing)))} has no finite "
                    f"{side} bound and none follows from the constraints; give it one"
                )
    return _Freezer(model, bounds, objective, plain=False).build()


def declared_bounds(model: Model) -> tuple[Array, Array] | None:
    """(lower, upper) by column: of declared ones, inferred where missing; infinite elsewhere.

    None where the inference proves that there is no solution.
    """
    lower, upper = np.full(model.columns, -inf), np.full(model.columns, inf)
    for span, definition in model.declared:
        lower[span], upper[span] = definition.lower, definition.upper
    declared, left = model.is_declared, inf
    for _ in range(INFERENCES):
        missing = int((~np.isfinite([lower[declared], upper[declared]])).sum())
        if missing in (0, left):
            break
        left = missing
        frozen = _Freezer(model, (lower, upper), None, plain=True).build()
        reduced = reduce(frozen.query)
        found = None if reduced is None else propagate(reduced)
        if found is None:
            return None
        lower[frozen.declared] = found[0][frozen.variables]
        upper[frozen.declared] = found[1][frozen.variables]
    return lower, upper


class _Freezer:
    """One pass over the definitions; ``plain``: for inferring bounds, so nothing is substituted
    and of networks only the ranges of their outputs are there."""

    def __init__(
        self,
        model: Model,
        bounds: tuple[Array, Array],
        objective: Expression | None,
        *,
        plain: bool,
    ) -> None:
        self.bounds, self.objective, self.plain = bounds, objective, plain
        self.limits = model
        self.model = model if plain else self._as_bounds(model)
        self.polarity = polarity(
            self.model.definitions, self.model.conditions, objective, model.columns
        )
        self.forms = Forms()

    def build(self) -> Frozen:
        declared: list[NDArray[np.int64]] = []
        variables: list[NDArray[np.int64]] = []
        pool = self.forms.pool
        for start, definition in self.model.definitions:
            if isinstance(definition, Declared):
                size = definition.lower.size
                declared.append(np.arange(start, start + size))
                variables.append(np.arange(len(pool), len(pool) + size))
            self._define(start, definition)
        for condition in self.model.conditions:
            self._require(condition)
        coefficients, constant = np.zeros(len(pool)), 0.0
        if self.objective is not None:
            matrix, offset = self.forms.of(self.objective)
            coefficients, constant = matrix.toarray()[0], float(offset[0])
        none = [np.zeros(0, np.int64)]
        query = Query.of(pool, self.forms.constraints)
        objective = np.concatenate([coefficients, np.zeros(len(pool) - coefficients.size)])
        return Frozen(
            query,
            np.concatenate(none + declared),
            np.concatenate(none + variables),
            (objective, constant),
        )

    def _as_bounds(self, model: Model) -> Model:
        """Conditions ``norm_inf(x - c) <= r`` on declared entries become bounds on them.

        Rounded outward; whoever reads a solution checks the condition itself.
        """
        lower, upper = self.bounds[0].copy(), self.bounds[1].copy()
        declared = model.is_declared
        kept: list[Requirement] = []
        for condition in model.conditions:
            limit = norm_limit(model, condition)
            form = None if limit is None or limit[0].form is not None else limit[0].inputs
            if (
                form is None
                or limit is None
                or limit[1] <= 0.0
                or not _plain_entries(form, declared)
            ):
                kept.append(condition)
                continue
            at, sign, radius = form.matrix.indices, form.matrix.data, limit[1]
            middle = -sign * form.constant
            reach = radius * (1.0 + gamma(4)) + gamma(4) * np.abs(middle)
            low, high = np.maximum(lower[at], middle - reach), np.minimum(upper[at], middle + reach)
            if (low > high).any():
                kept.append(condition)  # contradictory: the rows will show it
                continue
            lower[at], upper[at] = low, high
        self.bounds = lower, upper
        return Model(model.definitions, tuple(kept), model.columns)

    def _define(self, start: int, definition: Definition) -> None:
        used = self.polarity[start : start + size_of(definition)]
        match definition:
            case Declared():
                self._declare(start, definition)
            case NetworkOf():
                self._network(definition, wanted=bool(used.any()))
            case NormOf():
                add_norm(self.forms, definition, used)
            case MaximumOf():
                add_maximum(self.forms, definition, used)
            case ReluOf() | LeakyOf() | ClipOf() | AbsoluteOf():
                add_entrywise(self.forms, definition, used, substitute=not self.plain)
            case _:
                assert_never(definition)

    def _declare(self, start: int, definition: Declared) -> None:
        span = slice(start, start + definition.lower.size)
        low, high = self.bounds[0][span], self.bounds[1][span]
        entries: list[Variable | None] = [
            self.forms.pool.fresh(entry_name(definition, i), float(a), float(b))
            for i, (a, b) in enumerate(zip(low, high, strict=True))
        ]
        self.forms.append_variables(entries)
        self.forms.substitute(low, high)

    def _network(self, definition: NetworkOf, *, wanted: bool) -> None:
        network, forms = definition.network, self.forms
        if not wanted:
            forms.append_variables([None] * network.outputs)
            return
        matrix, constant = forms.of(definition.inputs)
        low, high = forms.range(matrix, constant)
        if self.plain:
            least, most = output_bounds(network, low, high)
            ends = zip(least.tolist(), most.tolist(), strict=True)
            forms.append_variables([forms.pool.fresh("output", a, b) for a, b in ends])
            return
        enclosure = Enclosure.of(self.limits, definition.inputs, low, high)
        forms.append(
            *lower_network(network, matrix, constant, enclosure, forms.pool, forms.constraints)
        )

    def _require(self, condition: Requirement) -> None:
        forms = self.forms
        match condition:
            case Comparison():
                forms.constraints += forms.rows(condition)
            case AnyOf(cases=cases):
                rows = (tuple(r for c in case for r in forms.rows(c)) for case in cases)
                forms.constraints.append(Disjunction(tuple(rows)))
            case AtMostNonzero(expression=expression, limit=limit):
                zs = forms.name_it(*forms.of(expression), "entry")
                forms.add(cardinality(forms.pool, zs, limit))
            case _:
                assert_never(condition)


def _plain_entries(form: Expression, declared: NDArray[np.bool_]) -> bool:
    """Whether each entry is a declared variable, each once, with factor 1 or -1, and a number."""
    at = form.matrix.indices
    single = bool((np.diff(form.matrix.indptr) == 1).all())
    return (
        single
        and bool(declared[at].all())
        and np.unique(at).size == at.size
        and bool((np.abs(form.matrix.data) == 1.0).all())
    )
