"""Small queries over every kind of constraint, with or without an assignment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from marapatch.query.query import Query
from marapatch_encodings import (
    Abs,
    Constraint,
    Disjunction,
    Max,
    Relu,
    Row,
    Variable,
    VariablePool,
    row,
)

Build = Callable[[VariablePool], list[Constraint]]


def box(pool: VariablePool, count: int, low: float = -1.0, high: float = 1.0) -> list[Variable]:
    return list(pool.fresh_many("x", np.full(count, low), np.full(count, high)))


def nothing(pool: VariablePool) -> list[Constraint]:
    return []


def no_constraints(pool: VariablePool) -> list[Constraint]:
    box(pool, 2)
    return []


def false_row_without_variables(pool: VariablePool) -> list[Constraint]:
    return [row({}, ">=", 1.0)]


def row_without_variables(rhs: float, sense: str) -> Build:
    def build(pool: VariablePool) -> list[Constraint]:
        x = box(pool, 1)
        return [row({}, sense, rhs), row({x[0]: 1.0}, ">=", 0.0)]  # type: ignore[arg-type]

    return build


def sums(sense: str, rhs: float) -> Build:
    """x0 + 2 x1 - x2 (sense) rhs over the unit box: between -4 and 4."""

    def build(pool: VariablePool) -> list[Constraint]:
        x = box(pool, 3)
        return [row({x[0]: 1.0, x[1]: 2.0, x[2]: -1.0}, sense, rhs)]  # type: ignore[arg-type]

    return build


def fixed_variable(target: float) -> Build:
    def build(pool: VariablePool) -> list[Constraint]:
        x = pool.fresh("fixed", 0.5, 0.5)
        y = pool.fresh("y")
        return [Relu(x, y), row({y: 1.0}, ">=", target)]

    return build


def relu(least: float, *, backwards: bool = False) -> Build:
    """y = relu(a + b), a + 2 b <= -1, 2 a + b <= -1: only y = 0, which no interval shows."""

    def build(pool: VariablePool) -> list[Constraint]:
        pool.fresh("fixed", 0.0, 0.0)
        z, y = pool.fresh("z", -6.0, 6.0), pool.fresh("y", -10.0, 10.0)
        if backwards:
            z, y = y, z
        a, b = pool.fresh_many("u", [-3.0, -3.0], [3.0, 3.0])
        return [
            Relu(z, y),
            row({a: 1.0, b: 1.0, z: -1.0}, "=", 0.0),
            row({a: 1.0, b: 2.0}, "<=", -1.0),
            row({a: 2.0, b: 1.0}, "<=", -1.0),
            row({y: 1.0}, ">=", least),
        ]

    return build


def absolute(least: float) -> Build:
    """y = |x0 + x1| >= least over [-1, 1]^2: at most 2."""

    def build(pool: VariablePool) -> list[Constraint]:
        x = box(pool, 2)
        z, y = pool.fresh("z"), pool.fresh("y")
        return [
            row({x[0]: 1.0, x[1]: 1.0, z: -1.0}, "=", 0.0),
            Abs(z, y),
            row({y: 1.0}, ">=", least),
        ]

    return build


def maximum(sense: str, rhs: float) -> Build:
    """y = max(x0, x1, x0 + x1 - 0.25) over [-1, 1]^2: from -1 to 1.75."""

    def build(pool: VariablePool) -> list[Constraint]:
        x = box(pool, 2)
        z, y = pool.fresh("z"), pool.fresh("y")
        return [
            row({x[0]: 1.0, x[1]: 1.0, z: -1.0}, "=", 0.25),
            Max((x[0], x[1], z), y),
            row({y: 1.0}, sense, rhs),  # type: ignore[arg-type]
        ]

    return build


def lonely_maximum(target: float) -> Build:
    def build(pool: VariablePool) -> list[Constraint]:
        x = box(pool, 1)[0]
        y = pool.fresh("y")
        return [Max((x, x), y), row({y: 1.0}, ">=", target)]

    return build


def own_input(kind: str, target: float) -> Build:
    """x = relu(x), x = |x| and x = max(x, 0.25 x) all say x >= 0."""

    def build(pool: VariablePool) -> list[Constraint]:
        x = box(pool, 1)[0]
        asked = row({x: 1.0}, "<=", target)
        match kind:
            case "relu":
                return [Relu(x, x), asked]
            case "abs":
                return [Abs(x, x), asked]
            case _:
                z = pool.fresh("z", -1.0, 1.0)
                return [row({x: 0.25, z: -1.0}, "=", 0.0), Max((x, z), x), asked]

    return build


def cycle(least: float) -> Build:
    """x = relu(y), y = relu(x): both equal and not negative."""

    def build(pool: VariablePool) -> list[Constraint]:
        x, y = box(pool, 2)
        return [Relu(x, y), Relu(y, x), row({x: 1.0, y: 1.0}, ">=", least)]

    return build


def disjunction(low: float, high: float, *, several: bool) -> Build:
    """x0 (or x0 + x1) is <= -0.5 with x1 >= 0.25, or >= 0.5; and it lies in [low, high]."""

    def build(pool: VariablePool) -> list[Constraint]:
        x, y = box(pool, 2)
        form = {x: 1.0, y: 1.0} if several else {x: 1.0}
        cases = (
            (row(form, "<=", -0.5), row({y: 1.0}, ">=", 0.25)),
            (row(form, ">=", 0.5),),
        )
        return [Disjunction(cases), row(form, ">=", low), row(form, "<=", high)]

    return build


def disjunction_of_equalities(value: float) -> Build:
    def build(pool: VariablePool) -> list[Constraint]:
        x, y = box(pool, 2)
        cases = ((row({x: 1.0}, "=", 0.5),), (row({x: 1.0, y: 1.0}, "=", -1.5),))
        return [Disjunction(cases), row({x: 1.0}, ">=", value)]

    return build


def unrepresentable_equality(pool: VariablePool) -> list[Constraint]:
    """relu(z) = 8/3 as one of two cases, the other impossible."""
    x, y = pool.fresh("x", -1.5, -0.5), pool.fresh("y", -100.0, 100.0)
    z, f = pool.fresh("z"), pool.fresh("f")
    return [
        row({x: -2.0, y: -1.75, z: -1.0}, "=", 1.5),
        Relu(z, f),
        Disjunction(((row({f: 0.75}, "=", 2.0),), (row({f: -0.25}, ">=", 1.0),))),
    ]


def odd_disjunction(cases: tuple[str, ...]) -> Build:
    """Cases by name: ``empty``, ``true``, ``false`` (rows without variables), ``x`` (x >= 2)."""

    def build(pool: VariablePool) -> list[Constraint]:
        x = box(pool, 1)[0]
        rows: dict[str, tuple[Row, ...]] = {
            "empty": (),
            "true": (row({}, "<=", 0.0),),
            "false": (row({}, ">=", 1.0), row({x: 1.0}, "<=", 2.0)),
            "x": (row({x: 1.0}, ">=", 2.0),),
        }
        return [Disjunction(tuple(rows[case] for case in cases))]

    return build


def merged_ends(pool: VariablePool) -> list[Constraint]:
    """y = relu(x) and y = x."""
    x, y = box(pool, 2)
    return [Relu(x, y), row({x: 1.0, y: -1.0}, "=", 0.0), row({x: 1.0}, ">=", 0.25)]


def absolute_chain(pool: VariablePool) -> list[Constraint]:
    """Marabou's own absolute value answers a wrong ``unsat`` to this one."""
    x = pool.fresh("x", 0.0, 2.0)
    y = pool.fresh("y", -1.75, -1.5)
    z, a = pool.fresh("z", -50.0, 50.0), pool.fresh("a", -100.0, 100.0)
    t, b = pool.fresh("t", -50.0, 50.0), pool.fresh("b", -100.0, 100.0)
    s, c, free = pool.fresh("s"), pool.fresh("c"), pool.fresh("free", -50.0, 50.0)
    return [
        Relu(z, a),
        row({y: -1.75, a: -1.0, free: -1.0}, "=", -2.0),
        row({x: 1.25, y: -0.5, t: -1.0}, "=", 0.75),
        Abs(t, b),
        row({a: 1.0, b: -0.5, s: -1.0}, "=", -0.75),
        Abs(s, c),
        row({c: 1.5}, "=", 1.25),
    ]


def fixed_maximum(pool: VariablePool) -> list[Constraint]:
    """Marabou's own maximum is forgotten where its output is fixed."""
    x, y = box(pool, 2)
    return [Max((x, y), pool.fresh("fixed", 0.5, 0.5))]


def small_coefficients(pool: VariablePool) -> list[Constraint]:
    """A row that says next to nothing, with a coefficient of 1e-5, leads Marabou astray."""
    fixed = pool.fresh("fixed", -1.8065278, -1.8065278)
    x, z, f = pool.fresh("x", -2.75, 0.65), pool.fresh("z", -50.0, 50.0), pool.fresh("f")
    t, y = pool.fresh("t"), pool.fresh("y")
    return [
        row({fixed: 1.75674, x: -1.98729, z: -1.0}, "=", 2.08452),
        Relu(z, f),
        row({fixed: -0.0645749, x: 0.0669878, f: -0.625554, t: -1.0}, "=", -1.55449),
        Relu(t, y),
        row({f: 1.3273e-05}, "<=", 1.05214),
        row({x: -1.451, y: -0.322166}, "<=", -0.377069),
    ]


def creeping_bounds(pool: VariablePool) -> list[Constraint]:
    """One point, x = -5/6: interval bounds creep towards it, and Marabou may take them for it."""
    x, y = pool.fresh("x", -2.0, 0.0), pool.fresh("y", -100.0, 100.0)
    z = pool.fresh("z", -50.0, 50.0)
    return [
        row({x: 1.5, z: -1.0}, "=", 0.0),
        row({y: 1.0, z: -1.0}, "=", 0.0),
        row({x: 1.5, y: 0.2}, "=", -1.5),
    ]


def constant_layer(pool: VariablePool) -> list[Constraint]:
    """A ReLU whose input is a constant row: marked as a layer it makes Marabou throw."""
    z, y = pool.fresh("z", -50.0, 50.0), pool.fresh("y", -100.0, 100.0)
    return [row({z: -1.0}, "=", 0.5), Relu(z, y)]


def free_input_fixed_output(pool: VariablePool) -> list[Constraint]:
    x, y = pool.fresh("x", -50.0, 50.0), pool.fresh("y")
    return [Relu(x, y), row({y: -1.0}, "=", -2.0)]


@dataclass(frozen=True)
class Case:
    name: str
    build: Build
    feasible: bool


CASES = (
    Case("nothing at all", nothing, True),
    Case("no constraints", no_constraints, True),
    Case("a false row, no variables", false_row_without_variables, False),
    Case("0 <= 0", row_without_variables(0.0, "<="), True),
    Case("0 >= 1", row_without_variables(1.0, ">="), False),
    Case("0 = 1", row_without_variables(1.0, "="), False),
    Case("row >= met", sums(">=", 3.75), True),
    Case("row >= missed", sums(">=", 4.25), False),
    Case("row <= met", sums("<=", -3.75), True),
    Case("row <= missed", sums("<=", -4.25), False),
    Case("row = met", sums("=", 3.75), True),
    Case("row = missed", sums("=", 4.25), False),
    Case("fixed variable met", fixed_variable(0.25), True),
    Case("fixed variable missed", fixed_variable(0.75), False),
    Case("relu met", relu(0.0), True),
    Case("relu missed", relu(0.25), False),
    Case("relu met, output numbered first", relu(0.0, backwards=True), True),
    Case("relu missed, output numbered first", relu(0.25, backwards=True), False),
    Case("abs met", absolute(1.75), True),
    Case("abs missed", absolute(2.25), False),
    Case("max met", maximum(">=", 1.5), True),
    Case("max missed", maximum(">=", 2.0), False),
    Case("max small enough", maximum("<=", -0.75), True),
    Case("max too small", maximum("<=", -1.25), False),
    Case("max of one met", lonely_maximum(0.75), True),
    Case("max of one missed", lonely_maximum(1.25), False),
    Case("x = relu(x) met", own_input("relu", 0.25), True),
    Case("x = relu(x) missed", own_input("relu", -0.25), False),
    Case("x = |x| met", own_input("abs", 0.25), True),
    Case("x = |x| missed", own_input("abs", -0.25), False),
    Case("x = max(x, x/4) met", own_input("max", 0.25), True),
    Case("x = max(x, x/4) missed", own_input("max", -0.25), False),
    Case("cycle met", cycle(1.5), True),
    Case("cycle missed", cycle(2.25), False),
    Case("or met by the first case", disjunction(-1.0, -0.75, several=False), True),
    Case("or met by the second case", disjunction(0.75, 1.0, several=False), True),
    Case("or missed between", disjunction(-0.25, 0.25, several=False), False),
    Case("or of sums met first", disjunction(-0.7, -0.6, several=True), True),
    Case("or of sums met second", disjunction(1.75, 2.0, several=True), True),
    Case("or of sums missed low", disjunction(-2.0, -1.0, several=True), False),
    Case("or of sums missed between", disjunction(-0.25, 0.25, several=True), False),
    Case("or of equalities met", disjunction_of_equalities(0.25), True),
    Case("or of equalities missed", disjunction_of_equalities(0.75), False),
    Case("or of an equality that rounding misses", unrepresentable_equality, True),
    Case("or of nothing", odd_disjunction(()), False),
    Case("or of an empty case", odd_disjunction(("x", "empty")), True),
    Case("or of a true case", odd_disjunction(("x", "true")), True),
    Case("or of false cases", odd_disjunction(("false", "x")), False),
    Case("y = relu(x) = x", merged_ends, True),
    Case("absolute chain", absolute_chain, True),
    Case("fixed maximum", fixed_maximum, True),
    Case("small coefficients", small_coefficients, True),
    Case("creeping bounds", creeping_bounds, True),
    Case("constant layer", constant_layer, True),
    Case("free input, fixed output", free_input_fixed_output, True),
)


def query_of(build: Build) -> Query:
    pool = VariablePool()
    return Query.of(pool, build(pool))
