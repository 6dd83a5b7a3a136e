"""SMT-LIB 2, logic QF_LRA: a query as text that any SMT solver for linear arithmetic reads."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import isfinite
from typing import assert_never

from marapatch.query.query import Query
from marapatch_encodings.terms import Abs, Constraint, Disjunction, Max, Relu, Row


def smtlib(query: Query) -> str:
    """``query`` as an SMT-LIB script that ends in ``(check-sat)``.

    Exact: every float64 is written as the rational number it is. Variable i is called ``v<i>``;
    its name in the query stands in a comment. ReLU and absolute value are ``ite`` terms.
    """
    lines = ["(set-logic QF_LRA)"]
    for i, name in enumerate(query.names):
        lines.append(f"(declare-const v{i} Real) ; {name}")
        if isfinite(query.lower[i]):
            lines.append(f"(assert (>= v{i} {number(query.lower[i])}))")
        if isfinite(query.upper[i]):
            lines.append(f"(assert (<= v{i} {number(query.upper[i])}))")
        if query.lower[i] == float("inf") or query.upper[i] == -float("inf"):
            lines.append("(assert false)")
    for constraint in query.constraints:
        lines += (f"(assert {formula})" for formula in formulas(constraint))
    return "\n".join([*lines, "(check-sat)"]) + "\n"


def number(value: float) -> str:
    """A float64 as an SMT-LIB term, exact."""
    exact = Fraction(float(value))
    size = f"{abs(exact.numerator)}.0"
    if exact.denominator != 1:
        size = f"(/ {size} {exact.denominator}.0)"
    return f"(- {size})" if exact < 0 else size


def formulas(constraint: Constraint) -> Iterator[str]:
    """Formulas whose conjunction is ``constraint``."""
    match constraint:
        case Row():
            yield _row(constraint)
        case Relu(input=x, output=y):
            yield f"(= v{y} (ite (>= v{x} 0.0) v{x} 0.0))"
        case Abs(input=x, output=y):
            yield f"(= v{y} (ite (>= v{x} 0.0) v{x} (- v{x})))"
        case Max(inputs=xs, output=y):
            for x in xs:
                yield f"(>= v{y} v{x})"
            yield _any([f"(= v{y} v{x})" for x in xs])
        case Disjunction(cases=cases):
            yield _any([_all([_row(row) for row in case]) for case in cases])
        case _:
            assert_never(constraint)


def _row(row: Row) -> str:
    pairs = zip(row.variables.tolist(), row.coefficients.tolist(), strict=True)
    terms = [f"v{v}" if c == 1.0 else f"(* {number(c)} v{v})" for v, c in pairs]
    total = "0.0" if not terms else terms[0] if len(terms) == 1 else f"(+ {' '.join(terms)})"
    return f"({row.sense} {total} {number(row.rhs)})"


def _any(parts: list[str]) -> str:
    return "false" if not parts else parts[0] if len(parts) == 1 else f"(or {' '.join(parts)})"


def _all(parts: list[str]) -> str:
    return "true" if not parts else parts[0] if len(parts) == 1 else f"(and {' '.join(parts)})"
