"""A problem of one's own: variables, networks, conditions; frozen into a query and solved."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from time import monotonic

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from marapatch.errors import InputError
from marapatch.modelling.answers import Answer, Minimum, NoSolution, Solution, Witnesses
from marapatch.modelling.conditions import AtMostNonzero, Condition, any_of, flatten
from marapatch.modelling.deciding import QueryPolicy, decide, minimise
from marapatch.modelling.definitions import (
    Declared,
    Definition,
    NetworkOf,
    label_of,
    size_of,
)
from marapatch.modelling.expressions import Comparison, Expression
from marapatch.modelling.freezing import Frozen, freeze
from marapatch.modelling.model import Model, Requirement, entry_name
from marapatch.modelling.symbolic import FreeNetwork
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.problem.verdict import Unknown
from marapatch.query.query import Query
from marapatch.query.reduction import check_timeout
from marapatch.solvers import Backend, create

SOLUTION_TOLERANCE = 1e-6
"""By how much a solution may miss a condition, unless another tolerance is asked for."""

TIMEOUT = 60.0


class Problem:
    """Collects variables and conditions; every question is put to a frozen copy.

    ::

        problem = Problem()
        x = problem.array("x", 2, lower=0, upper=1)
        problem.require(x.sum() == 1, relu(x[0] - x[1]) >= 0.25)
        answer = problem.solve()
    """

    def __init__(self) -> None:
        self._definitions: list[tuple[int, Definition]] = []
        self._conditions: list[Requirement] = []
        self._names: set[str] = set()
        self._columns = 0

    def __repr__(self) -> str:
        arrays = self.model.declared
        entries = sum(definition.lower.size for _, definition in arrays)
        declared = ", ".join(definition.name for _, definition in arrays)
        return f"<Problem: {entries} variables ({declared}), {len(self._conditions)} conditions>"

    @property
    def columns(self) -> int:
        """The number of columns so far: declared variables and values of functions."""
        return self._columns

    def column_name(self, column: int) -> str:
        """How a column is called in messages."""
        for start, definition in reversed(self._definitions):
            if start <= column:
                if isinstance(definition, Declared):
                    return entry_name(definition, column - start)
                label = label_of(definition)
                return label if size_of(definition) == 1 else f"{label}[{column - start}]"
        raise InputError(f"the problem has no column {column}")

    def variable(self, name: str, lower: float = -inf, upper: float = inf) -> Expression:
        """Declare one variable. Missing bounds are inferred when the problem is solved.

        Raises InputError where the name is taken or the bounds are NaN or contradict each other.
        """
        return self.array(name, (), lower, upper)

    def array(
        self,
        name: str,
        shape: int | tuple[int, ...],
        lower: ArrayLike = -inf,
        upper: ArrayLike = inf,
    ) -> Expression:
        """Declare an array of variables; bounds are broadcast to its shape."""
        wanted = (shape,) if isinstance(shape, int) else tuple(shape)
        if not name or name in self._names or any(c.isspace() for c in name):
            raise InputError(f"variable {name!r}: give a name without spaces that is not taken yet")
        ends = []
        for side, given in (("lower", lower), ("upper", upper)):
            try:
                values = np.array(np.broadcast_to(np.asarray(given, np.float64), wanted))
            except ValueError as error:
                raise InputError(
                    f"variable {name!r}: {side} bounds of shape {np.shape(given)} do not fit "
                    f"{wanted}"
                ) from error
            ends.append(values.reshape(-1))
        bad = ~(ends[0] <= ends[1]) | (ends[0] == inf) | (ends[1] == -inf)
        if bad.any():
            i = int(np.argmax(bad))
            raise InputError(
                f"variable {name!r}: bounds [{ends[0][i]}, {ends[1][i]}] are empty or NaN"
            )
        for end in ends:
            end.flags.writeable = False
        expression = self.define(Declared(name, wanted, *ends), wanted)
        self._names.add(name)
        return expression

    def define(self, definition: Definition, shape: tuple[int, ...]) -> Expression:
        """The columns of a definition as an expression; what functions of expressions call."""
        size = size_of(definition)
        start = self._columns
        self._definitions.append((start, definition))
        self._columns += size
        at = np.arange(size), np.arange(start, start + size)
        matrix = sp.csr_array((np.ones(size), at), shape=(size, self._columns))
        return Expression(self, matrix, np.zeros(size), shape)

    def apply(self, network: Network, inputs: Expression) -> Expression:
        """The outputs (outputs,) of ``network`` at ``inputs``; ``network.scores(inputs)``."""
        self._own(inputs)
        if inputs.size != network.inputs:
            raise InputError(
                f"network({inputs.describe()}): {inputs.size} entries, the network takes "
                f"{network.inputs}"
            )
        return self.define(NetworkOf(inputs.ravel(), network), (network.outputs,))

    def free_weights(
        self,
        network: Network,
        layer: int | str = -1,
        *,
        within: float = 1.0,
        bias: bool = False,
        name: str = "change",
    ) -> FreeNetwork:
        """``network`` with variables added to the weights of one layer.

        ``layer``: its number among those that can be patched (-1: the last), or its node.
        ``within``: bound on each change. ``bias``: whether biases may change too. The variables
        are called ``name`` and ``name.bias``.
        """
        patchable = network.affine_layers
        nodes = [each.node for each in patchable]
        if isinstance(layer, int):
            if not -len(nodes) <= layer < len(nodes):
                raise InputError(f"layer {layer}: the network has {len(nodes)} that can be patched")
            layer = nodes[layer]
        weight, biases = network.weights(layer)
        change = self.array(name, weight.shape, -within, within)
        bias_change = None
        if bias:
            if not biases.size:
                raise InputError(f"layer {layer!r} has no bias of its own in the file")
            bias_change = self.array(f"{name}.bias", biases.shape, -within, within)
        return FreeNetwork(self, network, layer, change, bias_change)

    def require(self, *conditions: Condition | Iterable[Condition]) -> None:
        """Add conditions: comparisons, any_of, all_of, at_most_k_nonzero, or lists of these."""
        found: list[Requirement] = []
        for condition in flatten(conditions):  # type: ignore[arg-type]  # lists are taken apart
            match condition:
                case Comparison(expression=expression) | AtMostNonzero(expression=expression):
                    self._own(expression)
                case _:
                    for case in condition.cases:
                        for comparison in case:
                            self._own(comparison.expression)
            found.append(condition)
        self._conditions += found

    def _own(self, expression: Expression) -> None:
        if expression.problem is not self:
            raise InputError(f"({expression.describe()}) belongs to another problem")

    @property
    def model(self) -> Model:
        """What is stated so far, immutable."""
        return Model(tuple(self._definitions), tuple(self._conditions), self._columns)

    def freeze(self) -> Frozen:
        """The query and where the declared variables are in it; see :meth:`query`."""
        frozen = freeze(self.model)
        if frozen is None:
            raise InputError("interval propagation proves that the problem has no solution")
        return frozen

    @property
    def query(self) -> Query:
        """The frozen query of what is stated so far.

        Raises InputError where a variable's bounds do not follow, or the problem is plainly
        contradictory.
        """
        return self.freeze().query

    def solve(
        self,
        backend: str | Backend = "marabou",
        *,
        confirm: str | Backend | None = "highs",
        timeout: float = TIMEOUT,
        tolerance: float = SOLUTION_TOLERANCE,
    ) -> Answer:
        """Find values that meet every condition within ``tolerance``, or prove there are none.

        ``backend``: marabou, highs or enumeration. ``confirm``: who is asked again before an
        ``unsat`` is believed (None: nobody). A solution is replayed: functions and networks are
        computed anew from the declared variables. Raises InputError where a variable's bounds do
        not follow, BackendError where an engine cannot be started.
        """
        check_timeout(timeout)
        with _Engines(backend, confirm, tolerance) as asking:
            return decide(self.model, asking, timeout)

    def minimise(
        self,
        goal: Expression,
        *,
        tolerance: float = 1e-4,
        backend: str | Backend = "marabou",
        confirm: str | Backend | None = "highs",
        timeout: float = TIMEOUT,
        feasibility: float = SOLUTION_TOLERANCE,
    ) -> Minimum:
        """The least value of ``goal`` (one expression) over all solutions, within ``tolerance``.

        A sound search: only an ``unsat`` raises the lower end, only a replayed solution lowers
        the upper one. ``feasibility``: by how much solutions may miss conditions.
        """
        check_timeout(timeout)
        self._own(goal)
        if goal.size != 1:
            raise InputError(f"minimise({goal.describe()}): one expression is wanted, not an array")
        if not 0.0 < tolerance < inf:
            raise InputError(
                f"minimise: the tolerance must be positive and finite, not {tolerance}"
            )
        with _Engines(backend, confirm, feasibility) as asking:
            return minimise(self.model, goal.ravel(), asking, tolerance, timeout)

    def witnesses(
        self,
        count: int,
        *,
        apart: float,
        over: Expression | None = None,
        backend: str | Backend = "marabou",
        confirm: str | Backend | None = "highs",
        timeout: float = TIMEOUT,
        tolerance: float = SOLUTION_TOLERANCE,
    ) -> Witnesses:
        """Up to ``count`` solutions, each two at least ``apart`` in some entry of ``over``.

        ``over``: all declared variables where None. ``timeout``: seconds for everything.
        """
        check_timeout(timeout)
        if count < 1:
            raise InputError(f"witnesses: how many? {count} is not at least 1")
        if not apart > tolerance:
            raise InputError(f"witnesses: apart must exceed the tolerance {tolerance}, not {apart}")
        deadline = monotonic() + timeout
        compared = self._declared() if over is None else over.ravel()
        self._own(compared)
        found: list[Solution] = []
        with _Engines(backend, confirm, tolerance) as asking:
            model = self.model
            while len(found) < count:
                left = deadline - monotonic()
                answer = decide(model, asking, left) if left > 0.0 else Unknown("out of time")
                match answer:
                    case Solution():
                        found.append(answer)
                        away = _away(compared, answer.columns, apart)
                        extended = (*model.conditions, any_of(*away))
                        model = Model(model.definitions, extended, model.columns)
                    case NoSolution():
                        return Witnesses(tuple(found), True, "there are no more")
                    case Unknown(reason=reason):
                        return Witnesses(tuple(found), False, reason)
        return Witnesses(tuple(found), False)

    def _declared(self) -> Expression:
        columns = np.concatenate(
            [
                np.arange(start, start + size_of(d))
                for start, d in self._definitions
                if isinstance(d, Declared)
            ]
        )
        at = np.arange(columns.size), columns
        matrix = sp.csr_array((np.ones(columns.size), at), shape=(columns.size, self._columns))
        return Expression(self, matrix, np.zeros(columns.size), (columns.size,))


def _away(compared: Expression, columns: Array, apart: float) -> list[Comparison]:
    values = compared.rows(columns.size) @ columns + compared.constant
    ends = []
    for i, value in enumerate(values):
        ends += [compared[i] <= value - apart, compared[i] >= value + apart]
    return ends


class _Engines:
    """Backends by name, closed afterwards; those given as objects stay open."""

    def __init__(
        self, backend: str | Backend, confirm: str | Backend | None, tolerance: float
    ) -> None:
        self._made: list[Backend] = []
        if not 0.0 <= tolerance < inf:
            raise InputError(f"the tolerance must be finite and at least 0, not {tolerance}")
        first = self._make(backend)
        second = None if confirm is None else self._make(confirm)
        self.asking = QueryPolicy(first, second, tolerance)

    def _make(self, given: str | Backend) -> Backend:
        if not isinstance(given, str):
            return given
        made = create(given)
        self._made.append(made)
        return made

    def __enter__(self) -> QueryPolicy:
        return self.asking

    def __exit__(self, *_: object) -> None:
        for backend in self._made:
            backend.close()
