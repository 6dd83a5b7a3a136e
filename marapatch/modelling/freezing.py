"""From a problem to a frozen query: encodings chosen, stable parts substituted away.

Every choice keeps the set of values of the declared variables (exact), or enlarges it where a
convex function is only bounded from above or minimised (then a value of its column may exceed the
function's; whoever reads a solution computes it anew). So ``unsat`` is always right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import assert_never

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.backends.intervals import propagate
from marapatch.backends.reduction import reduce
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
)
from marapatch.modelling.expressions import Comparison, Expression, widened
from marapatch.modelling.networks import Enclosure, lower_network, norm_limit
from marapatch.modelling.polarity import Polarity, polarity
from marapatch.network.layers import Array, Matrix
from marapatch.network.standard_form import gamma
from marapatch.query import Assignment, Query
from marapatch_encodings import (
    absolute,
    absolute_native,
    cardinality,
    clip,
    l1_radius,
    leaky,
    linf_radius,
    maximum,
    maximum_native,
    relu,
)
from marapatch_encodings.terms import (
    Constraint,
    Disjunction,
    Encoding,
    Row,
    Sense,
    Variable,
    VariablePool,
    dense_row,
)

Requirement = Comparison | AnyOf | AtMostNonzero


@dataclass(frozen=True, eq=False)
class Model:
    """A problem at one moment: ``definitions`` with the column each begins at, and conditions."""

    definitions: tuple[tuple[int, Definition], ...]
    conditions: tuple[Requirement, ...]
    columns: int


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
    for start, definition in model.definitions:
        if isinstance(definition, Declared):
            for side, array in zip(("lower", "upper"), bounds, strict=True):
                part = array[start : start + definition.lower.size]
                if not np.isfinite(part).all():
                    name = entry_name(definition, int(np.argmax(~np.isfinite(part))))
                    raise InputError(
                        f"variable {name} has no finite {side} bound and none follows from the "
                        "constraints; give it one"
                    )
    return _Freezer(model, bounds, objective, plain=False).build()


def entry_name(definition: Declared, entry: int) -> str:
    """The name of one entry of a declared array, as in ``x[0,1]``."""
    if not definition.shape:
        return definition.name
    index = ",".join(str(int(i)) for i in np.unravel_index(entry, definition.shape))
    return f"{definition.name}[{index}]"


def declared_bounds(model: Model) -> tuple[Array, Array] | None:
    """(lower, upper) by column: of declared ones, inferred where missing; infinite elsewhere."""
    lower, upper = np.full(model.columns, -inf), np.full(model.columns, inf)
    declared = np.zeros(model.columns, dtype=bool)
    for start, definition in model.definitions:
        if isinstance(definition, Declared):
            span = slice(start, start + definition.lower.size)
            lower[span], upper[span], declared[span] = definition.lower, definition.upper, True
    if np.isfinite(lower[declared]).all() and np.isfinite(upper[declared]).all():
        return lower, upper
    frozen = _Freezer(model, (lower, upper), None, plain=True).build()
    reduced = reduce(frozen.query)
    found = None if reduced is None else propagate(reduced)
    if found is None:
        return None
    lower[frozen.declared] = found[0][frozen.variables]
    upper[frozen.declared] = found[1][frozen.variables]
    return lower, upper


class _Freezer:
    """One pass over the definitions; ``plain``: for inferring bounds, so networks are left out."""

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
        if not plain:
            model = self._as_bounds(model)
        self.model = model
        self.polarity = polarity(model.definitions, model.conditions, objective, model.columns)
        self.pool = VariablePool()
        self.constraints: list[Constraint] = []
        self.blocks: list[Matrix] = []
        self.constants: list[Array] = []

    def build(self) -> Frozen:
        declared: list[NDArray[np.int64]] = []
        variables: list[NDArray[np.int64]] = []
        for start, definition in self.model.definitions:
            if isinstance(definition, Declared):
                size = definition.lower.size
                declared.append(np.arange(start, start + size))
                variables.append(np.arange(len(self.pool), len(self.pool) + size))
            self._define(start, definition)
        for condition in self.model.conditions:
            self._require(condition)
        coefficients, constant = np.zeros(len(self.pool)), 0.0
        if self.objective is not None:
            matrix, offset = self.form(self.objective)
            coefficients, constant = matrix.toarray()[0], float(offset[0])
        none = [np.zeros(0, np.int64)]
        query = Query.of(self.pool, self.constraints)
        objective = np.concatenate([coefficients, np.zeros(len(self.pool) - coefficients.size)])
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
        declared = np.zeros(model.columns, dtype=bool)
        for start, definition in model.definitions:
            if isinstance(definition, Declared):
                declared[start : start + definition.lower.size] = True
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

    def form(self, expression: Expression) -> tuple[Matrix, Array]:
        """``expression`` over the pool's variables: (matrix, constant)."""
        width = len(self.pool)
        blocks = [widened(block, width) for block in self.blocks]
        table = (
            sp.csr_array(sp.vstack(blocks, format="csr")) if blocks else sp.csr_array((0, width))
        )
        offsets = np.concatenate([np.zeros(0), *self.constants])
        rows = expression.rows(table.shape[0])
        return sp.csr_array(rows @ table), rows @ offsets + expression.constant

    def range(self, matrix: Matrix, constant: Array) -> tuple[Array, Array]:
        """Outward-rounded bounds of forms over the pool's bounds: (rows,) each."""
        low, high = self.pool.lower, self.pool.upper
        data, columns = matrix.data, matrix.indices
        with np.errstate(invalid="ignore"):
            least = np.where(data > 0.0, data * low[columns], data * high[columns])
            most = np.where(data > 0.0, data * high[columns], data * low[columns])
        ends = []
        size = np.maximum(np.abs(least), np.abs(most))
        for values in (least, most, np.where(np.isfinite(size), size, 0.0)):
            ends.append(sp.csr_array((values, columns, matrix.indptr), shape=matrix.shape))
        width = matrix.shape[1]
        lower, upper, total = (np.asarray(end @ np.ones(width)) for end in ends)
        slack = gamma(width) * (total + np.abs(constant))
        return lower + constant - slack, upper + constant + slack

    def name_it(self, matrix: Matrix, constant: Array, name: str) -> list[Variable]:
        """A variable for each form, with its range; forms that are a variable stay that one."""
        low, high = self.range(matrix, constant)
        named = []
        for i in range(constant.size):
            part = slice(matrix.indptr[i], matrix.indptr[i + 1])
            columns, data = matrix.indices[part], matrix.data[part]
            if columns.size == 1 and data[0] == 1.0 and constant[i] == 0.0:
                named.append(Variable(int(columns[0])))
                continue
            if not columns.size:
                named.append(self.pool.fresh(f"{name}[{i}]", constant[i], constant[i]))
                continue
            t = self.pool.fresh(f"{name}[{i}]", float(low[i]), float(high[i]))
            row = dense_row([*columns, t], [*data, -1.0], "=", -float(constant[i]))
            self.constraints.append(row)
            named.append(t)
        return named

    def add(self, encoding: Encoding) -> Variable | None:
        """Take the constraints of an encoding in."""
        self.constraints += encoding.constraints
        return encoding.value

    def _block(self, entries: Sequence[Variable | None]) -> None:
        """Columns that are variables (0 where None)."""
        used = [(i, int(v)) for i, v in enumerate(entries) if v is not None]
        at = [i for i, _ in used], [v for _, v in used]
        shape = (len(entries), len(self.pool))
        self.blocks.append(sp.csr_array((np.ones(len(used)), at), shape=shape))
        self.constants.append(np.zeros(len(entries)))

    def _substitute(self, low: Array, high: Array) -> None:
        """Entries of the newest block that are fixed become numbers in every later form."""
        fixed = low == high
        if fixed.any():
            free = (~fixed).astype(np.float64)
            keep = sp.dia_array((free[None], [0]), shape=(fixed.size, fixed.size))
            block = sp.csr_array(keep @ self.blocks[-1])
            block.eliminate_zeros()
            self.blocks[-1] = block
            self.constants[-1] = np.where(fixed, low, 0.0)

    def _define(self, start: int, definition: Definition) -> None:
        match definition:
            case Declared():
                span = slice(start, start + definition.lower.size)
                low, high = self.bounds[0][span], self.bounds[1][span]
                names = [entry_name(definition, i) for i in range(definition.lower.size)]
                entries: list[Variable | None] = [
                    self.pool.fresh(name, float(a), float(b))
                    for name, a, b in zip(names, low, high, strict=True)
                ]
                self._block(entries)
                self._substitute(low, high)
            case NetworkOf():
                self._network(start, definition)
            case NormOf():
                self._block([self._norm(definition)] if self.polarity[start] else [None])
            case MaximumOf():
                self._maximum(start, definition)
            case ReluOf() | LeakyOf() | ClipOf() | AbsoluteOf():
                self._entrywise(start, definition)
            case _:
                assert_never(definition)

    def _entrywise(self, start: int, definition: ReluOf | LeakyOf | ClipOf | AbsoluteOf) -> None:
        """Stable entries become forms, the others variables of their encodings."""
        matrix, constant = self.form(definition.inputs)
        low, high = self.range(matrix, constant)
        used = self.polarity[start : start + constant.size]
        slopes, offsets = np.zeros(constant.size), np.zeros(constant.size)
        open_entries = np.zeros(constant.size, dtype=bool)
        for i in np.flatnonzero(used):
            piece = None if self.plain else _only_piece(definition, float(low[i]), float(high[i]))
            if piece is None:
                open_entries[i] = True
            else:
                slopes[i], offsets[i] = piece
        chosen = np.flatnonzero(open_entries)
        named = self.name_it(matrix[chosen], constant[chosen], "z")
        values = [
            self._encode(definition, z, Polarity(int(used[i])))
            for z, i in zip(named, chosen, strict=True)
        ]
        scale = sp.dia_array((slopes[None], [0]), shape=(slopes.size, slopes.size))
        width = len(self.pool)
        fixed = widened(sp.csr_array(scale @ matrix), width)
        at = (chosen, np.array([int(v) for v in values], np.int64))
        free = sp.csr_array((np.ones(chosen.size), at), shape=(slopes.size, width))
        self.blocks.append(sp.csr_array(fixed + free))
        self.constants.append(slopes * constant + offsets)

    def _encode(
        self, definition: ReluOf | LeakyOf | ClipOf | AbsoluteOf, z: Variable, used: Polarity
    ) -> Variable:
        if used is Polarity.CONVEX and isinstance(definition, ReluOf | AbsoluteOf):
            low, high = self.pool.bounds(z)
            is_relu = isinstance(definition, ReluOf)
            t = self.pool.fresh("above", 0.0, max(high, 0.0 if is_relu else -low))
            self.constraints.append(dense_row([t, z], [1.0, -1.0], ">=", 0.0))
            if not is_relu:
                self.constraints.append(dense_row([t, z], [1.0, 1.0], ">=", 0.0))
            return t
        match definition:
            case ReluOf():
                encoding = relu(self.pool, z)
            case LeakyOf(slope=slope):
                encoding = leaky(self.pool, z, slope)
            case ClipOf(low=least, high=most):
                encoding = clip(self.pool, z, least, most)
            case AbsoluteOf(native=native):
                encoding = (absolute_native if native else absolute)(self.pool, z)
            case _:
                assert_never(definition)
        self.add(encoding)
        return encoding.variable

    def _maximum(self, start: int, definition: MaximumOf) -> None:
        matrix, constant = self.form(definition.inputs)
        count, width = definition.inputs.shape
        values: list[Variable | None] = []
        for i in range(count):
            used = Polarity(int(self.polarity[start + i]))
            if used is Polarity.UNUSED:
                values.append(None)
                continue
            span = slice(i * width, (i + 1) * width)
            zs = self.name_it(matrix[span], constant[span], "z")
            if used is Polarity.CONVEX:
                ends = [self.pool.bounds(z) for z in zs]
                t = self.pool.fresh("above", max(a for a, _ in ends), max(b for _, b in ends))
                self.constraints += [dense_row([t, z], [1.0, -1.0], ">=", 0.0) for z in zs]
                values.append(t)
            else:
                encode = maximum_native if definition.native else maximum
                values.append(self.add(encode(self.pool, zs)))
        self._block(values)

    def _norm(self, definition: NormOf) -> Variable:
        matrix, constant = self.form(definition.inputs)
        chosen = _that_count(matrix, constant, largest=definition.form is None)
        zs = self.name_it(sp.csr_array(matrix[chosen]), constant[chosen], "d")
        used = Polarity(int(self.polarity[self._columns()]))
        if used is Polarity.CONVEX:
            form = definition.form
            encoding = (
                linf_radius(self.pool, zs) if form is None else l1_radius(self.pool, zs, form)
            )
            self.add(encoding)
            return encoding.variable
        native = definition.form == "abs"
        sizes = [(absolute_native if native else absolute)(self.pool, z) for z in zs]
        parts = [size.variable for size in sizes]
        for size in sizes:
            self.add(size)
        if definition.form is None:
            encoding = maximum(self.pool, parts)
            self.add(encoding)
            return encoding.variable
        at = (np.zeros(len(parts), np.int64), np.array(parts, np.int64))
        total = sp.csr_array((np.ones(len(parts)), at), shape=(1, len(self.pool)))
        return self.name_it(total, np.zeros(1), "norm1")[0]

    def _columns(self) -> int:
        return sum(block.shape[0] for block in self.blocks)

    def _network(self, start: int, definition: NetworkOf) -> None:
        outputs = definition.network.outputs
        if self.plain or not self.polarity[start : start + outputs].any():
            fresh = [self.pool.fresh("output") if self.plain else None for _ in range(outputs)]
            self._block(fresh)
            return
        matrix, constant = self.form(definition.inputs)
        low, high = self.range(matrix, constant)
        enclosure = Enclosure.of(self.limits, definition.inputs, low, high)
        block, offsets = lower_network(
            definition.network, matrix, constant, enclosure, self.pool, self.constraints
        )
        self.blocks.append(block)
        self.constants.append(offsets)

    def _rows(self, comparison: Comparison) -> list[Row]:
        matrix, constant = self.form(comparison.expression)
        rows = []
        for i in range(constant.size):
            part = slice(matrix.indptr[i], matrix.indptr[i + 1])
            sense: Sense = comparison.sense
            rhs = -float(constant[i])
            rows.append(dense_row(matrix.indices[part], matrix.data[part], sense, rhs))
        return rows

    def _require(self, condition: Requirement) -> None:
        match condition:
            case Comparison():
                self.constraints += self._rows(condition)
            case AnyOf(cases=cases):
                rows = (tuple(r for c in case for r in self._rows(c)) for case in cases)
                self.constraints.append(Disjunction(tuple(rows)))
            case AtMostNonzero(expression=expression, limit=limit):
                zs = self.name_it(*self.form(expression), "entry")
                self.add(cardinality(self.pool, zs, limit))
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


def _that_count(matrix: Matrix, constant: Array, *, largest: bool) -> NDArray[np.int64]:
    """The entries that a norm depends on: not the zeros, which images have many of.

    ``largest``: of other numbers the largest is enough. One entry at least.
    """
    numbers = np.diff(matrix.indptr) == 0
    counts = ~numbers | (constant != 0.0)
    if largest and numbers.any():
        counts &= ~numbers
        counts[np.argmax(np.where(numbers, np.abs(constant), -1.0))] |= bool(
            constant[numbers].any()
        )
    chosen = np.flatnonzero(counts)
    return chosen if chosen.size else np.arange(1 if constant.size else 0)


def _only_piece(
    definition: ReluOf | LeakyOf | ClipOf | AbsoluteOf, low: float, high: float
) -> tuple[float, float] | None:
    """(slope, offset) of the one linear piece on ``[low, high]``; None where there are several."""
    match definition:
        case ReluOf():
            return (1.0, 0.0) if low >= 0.0 else (0.0, 0.0) if high <= 0.0 else None
        case LeakyOf(slope=slope):
            return (1.0, 0.0) if low >= 0.0 else (slope, 0.0) if high <= 0.0 else None
        case AbsoluteOf():
            return (1.0, 0.0) if low >= 0.0 else (-1.0, 0.0) if high <= 0.0 else None
        case ClipOf(low=least, high=most):
            if low >= most or high <= least:
                return 0.0, most if low >= most else least
            return (1.0, 0.0) if least <= low and high <= most else None
        case _:
            assert_never(definition)
