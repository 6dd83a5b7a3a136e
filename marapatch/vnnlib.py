"""VNN-LIB: properties of networks as files, read strictly into boxes and output conditions.

The language of VNN-COMP 2021 to 2024 (VNN-LIB 1): ``declare-const`` of ``X_i`` and ``Y_j``, and
assertions built of ``and``, ``or``, ``<=`` and ``>=`` over linear terms. Whatever is not understood
is an error that names its line: an assertion left out would change the question.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite, prod
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from marapatch.errors import InputError
from marapatch.network.layers import Array
from marapatch.properties import OutputCondition
from marapatch.sexpressions import Expression, LineError, List, Symbol, parse
from marapatch.vnnlib_atoms import (
    Atom,
    Box,
    Conjunction,
    Variable,
    checked,
    kind_of,
    output_condition,
)

MAX_CASES = 100_000
"""More disjuncts than this in the disjunctive normal form are refused."""


@dataclass(frozen=True, eq=False)
class Case:
    """Inputs in a box for which the outputs meet any of ``conditions``.

    ``lower``, ``upper``: read-only float64 (inputs,), infinite where the file states no bound.
    ``conditions``: at least one; one without rows is met by every output.
    """

    lower: Array
    upper: Array
    conditions: tuple[OutputCondition, ...]

    def __post_init__(self) -> None:
        self.lower.flags.writeable = False
        self.upper.flags.writeable = False


@dataclass(frozen=True, eq=False)
class Property:
    """A property in disjunctive normal form: it holds at (x, y) where any case does.

    By the convention of VNN-COMP it states what is *unsafe*: an input x with the network's output
    y for which it holds is a counterexample. ``inputs``, ``outputs``: the numbers of declared
    ``X_i`` and ``Y_j``. Each number of the file is rounded once, to the nearest float64.
    """

    path: str
    inputs: int
    outputs: int
    cases: tuple[Case, ...]

    @property
    def boxes(self) -> tuple[tuple[Array, Array], ...]:
        """The distinct input boxes (lower, upper), in the order of the file."""
        return tuple((case.lower, case.upper) for case in self.cases)

    def holds(self, x: ArrayLike, y: ArrayLike) -> bool:
        """Whether the property holds at input ``x`` (inputs,) and output ``y`` (outputs,)."""
        point, output = np.asarray(x, np.float64), np.asarray(y, np.float64)
        return any(
            bool(((case.lower <= point) & (point <= case.upper)).all())
            and any(bool((c.slack(output) >= 0.0).all()) for c in case.conditions)
            for case in self.cases
        )


def read_property(path: str | Path) -> Property:
    """Read a VNN-LIB file; InputError, naming the line, where anything is not understood."""
    name = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: is not a text file, so not a VNN-LIB property") from error
    return parse_property(text, name)


def parse_property(text: str, path: str = "property") -> Property:
    """Like :func:`read_property`, from the text of a file; ``path`` is named in errors."""
    try:
        return _Reader(path).read(parse(text))
    except LineError as error:
        raise InputError(f"{path}, line {error.line}: {error}") from None


_NAME = re.compile(r"([XY])_(0|[1-9][0-9]{0,8})")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class _Reader:
    def __init__(self, path: str) -> None:
        self.path = path
        self.declared: dict[Variable, int] = {}

    def read(self, expressions: Iterable[Expression]) -> Property:
        common: list[Atom] = []
        choices: list[list[Conjunction]] = []
        for expression in expressions:
            if isinstance(expression, Symbol):
                raise LineError(expression.line, f"{expression.text!r} stands outside a command")
            match expression.head:
                case "declare-const":
                    self.declare(expression)
                case "assert":
                    (argument,) = _arguments(expression, 1)
                    alternatives = self.normal_form(argument)
                    if len(alternatives) == 1:
                        common.extend(alternatives[0])
                    else:
                        choices.append(alternatives)
                        _check_size(prod(len(c) for c in choices), expression.line)
                case head:
                    raise LineError(
                        expression.line,
                        f"the command {head!r} is not known; only declare-const and assert "
                        "(VNN-LIB 1) are read",
                    )
        inputs, outputs = self.count("X"), self.count("Y")
        if inputs == 0:
            raise LineError(1, "no X_0 is declared; is this a VNN-LIB property?")
        box = Box(inputs)
        box.narrow(atom for atom in common if kind_of(atom) == "X")
        shared = tuple(atom for atom in common if kind_of(atom) == "Y")
        grouped: dict[bytes, tuple[Box, list[OutputCondition]]] = {}
        for choice in itertools.product(*choices):
            atoms = tuple(itertools.chain.from_iterable(choice))
            own = box.copy()
            own.narrow(atom for atom in atoms if kind_of(atom) == "X")
            rows = [*shared, *(atom for atom in atoms if kind_of(atom) == "Y")]
            _, conditions = grouped.setdefault(own.key, (own, []))
            conditions.append(output_condition(rows, outputs))
        cases = tuple(
            Case(own.lower, own.upper, tuple(conditions)) for own, conditions in grouped.values()
        )
        return Property(self.path, inputs, outputs, cases)

    def declare(self, command: List) -> None:
        name, sort = _arguments(command, 2)
        match = _NAME.fullmatch(name.text) if isinstance(name, Symbol) else None
        if match is None:
            raise LineError(command.line, "a declared name must be X_i or Y_j")
        if not isinstance(sort, Symbol) or sort.text != "Real":
            raise LineError(command.line, f"{match.group()} must be declared Real")
        variable = (match.group(1), int(match.group(2)))
        if variable in self.declared:
            raise LineError(command.line, f"{match.group()} is declared twice")
        self.declared[variable] = command.line

    def count(self, kind: str) -> int:
        numbers = sorted(number for k, number in self.declared if k == kind)
        for expected, number in enumerate(numbers):
            if number != expected:
                raise LineError(
                    self.declared[(kind, number)],
                    f"{kind}_{number} is declared but {kind}_{expected} is not",
                )
        return len(numbers)

    def normal_form(self, expression: Expression) -> list[Conjunction]:
        """The disjunctive normal form: any of the conjunctions; never empty."""
        if isinstance(expression, Symbol):
            raise LineError(expression.line, f"{expression.text!r} is not a condition")
        match expression.head:
            case "and":
                parts = [self.normal_form(a) for a in _arguments(expression)]
                _check_size(prod(len(part) for part in parts), expression.line)
                return [
                    tuple(itertools.chain.from_iterable(choice))
                    for choice in itertools.product(*parts)
                ]
            case "or":
                cases = [c for a in _arguments(expression) for c in self.normal_form(a)]
                _check_size(len(cases), expression.line)
                return cases
            case "<=" | ">=":
                left, right = (self.term(a) for a in _arguments(expression, 2))
                atom = right.minus(left) if expression.head == "<=" else left.minus(right)
                return [(checked(atom, expression.line),)]
            case "<" | ">":
                raise LineError(
                    expression.line,
                    f"the strict comparison {expression.head!r} is not read; VNN-LIB properties "
                    "are closed: write <= or >=",
                )
            case head:
                raise LineError(
                    expression.line,
                    f"the condition {head!r} is not known; only and, or, <= and >= are read",
                )

    def term(self, expression: Expression) -> Atom:
        if isinstance(expression, Symbol):
            return self.leaf(expression)
        parts = [self.term(a) for a in _arguments(expression)]
        total = parts[0]
        match expression.head:
            case "+":
                for part in parts[1:]:
                    total = total.plus(part)
            case "-":
                if len(parts) == 1:
                    return total.times(Fraction(-1))
                for part in parts[1:]:
                    total = total.minus(part)
            case "*":
                for part in parts[1:]:
                    if total.coefficients and part.coefficients:
                        raise LineError(expression.line, "a product of variables is not linear")
                    constant, other = (part, total) if total.coefficients else (total, part)
                    total = other.times(constant.constant)
            case head:
                raise LineError(
                    expression.line, f"the operation {head!r} is not known; only +, - and * are"
                )
        return total

    def leaf(self, symbol: Symbol) -> Atom:
        name = _NAME.fullmatch(symbol.text)
        if name is not None:
            variable = (name.group(1), int(name.group(2)))
            if variable not in self.declared:
                raise LineError(symbol.line, f"{symbol.text} is used but not declared before")
            return Atom({variable: Fraction(1)}, Fraction(0), symbol.line)
        if _NUMBER.fullmatch(symbol.text) is None or not isfinite(float(symbol.text)):
            raise LineError(symbol.line, f"{symbol.text!r} is neither a number nor X_i or Y_j")
        return Atom({}, Fraction(float(symbol.text)), symbol.line)


def _arguments(expression: List, number: int | None = None) -> tuple[Expression, ...]:
    arguments = expression.items[1:]
    if not arguments or (number is not None and len(arguments) != number):
        wanted = "at least 1" if number is None else str(number)
        raise LineError(
            expression.line,
            f"{expression.head!r} takes {wanted} argument(s), here it has {len(arguments)}",
        )
    return arguments


def _check_size(cases: int, line: int) -> None:
    if cases > MAX_CASES:
        raise LineError(line, f"the property has {cases} cases; at most {MAX_CASES} are read")
