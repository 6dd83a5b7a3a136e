"""VNN-LIB: properties of networks as files, read strictly into boxes and rows.

The language of VNN-COMP 2021 to 2024 (VNN-LIB 1): ``declare-const`` of ``X_i`` and ``Y_j``, and
assertions built of ``and``, ``or``, ``<=``, ``>=``, ``<`` and ``>`` over linear terms. Whatever is
not understood is an error that names its line: an assertion left out would change the question.
"""

from __future__ import annotations

import gzip
import itertools
import re
import zlib
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from fractions import Fraction
from math import prod
from pathlib import Path

from marapatch.errors import InputError
from marapatch.files.reading import opened
from marapatch.formats.vnnlib.atoms import Atom, Conjunction, Variable, checked, number_of
from marapatch.formats.vnnlib.sexpressions import Expression, LineError, List, Symbol, parse, shown
from marapatch.problem.specification import Alternative, Case, ExactBox, LinearRow, Property, Side

__all__ = ["Case", "Property", "parse_property", "read_property"]

MAX_CASES = 32_768
"""More disjuncts than this in the disjunctive normal form are refused."""

MAX_ATOMS = 2_000_000
"""Comparisons in the disjunctive normal form: more are refused."""

MAX_ENTRIES = 8_000_000
"""Bounds and coefficients of all cases together: more are refused."""

MAX_BYTES = 64 * 2**20
"""Longer texts are refused, also where they are compressed: that of a property over a
3 x 224 x 224 image has 20 MiB."""

GZIP = b"\x1f\x8b"
"""How a gzip file begins."""


def read_property(path: str | Path) -> Property:
    """Read a VNN-LIB file, which may be compressed with gzip; InputError, naming the line, where
    anything is not understood, and where the text has more than ``MAX_BYTES``."""
    name = str(path)
    try:
        with opened(Path(path)) as plain:
            compressed = plain.read(2) == GZIP
            plain.seek(0)
            with gzip.GzipFile(fileobj=plain) if compressed else nullcontext(plain) as stream:
                content = stream.read(MAX_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{name}: is a damaged gzip file ({error})") from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"{name}: has more than {MAX_BYTES >> 20} MiB of text, which is not read")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: is not a text file, so not a VNN-LIB property") from error
    return parse_property(text, name)


def parse_property(text: str, path: str = "property") -> Property:
    """Like :func:`read_property`, from the text of a file; ``path`` is named in errors."""
    try:
        return _Reader(path).read(parse(text))
    except LineError as error:
        raise InputError(f"{path}, line {error.line}: {error}") from None


ONE, MINUS_ONE = Fraction(1), Fraction(-1)

_NAME = re.compile(r"([XY])_(0|[1-9][0-9]{0,8})")


class _Reader:
    def __init__(self, path: str) -> None:
        self.path = path
        self.declared: dict[Variable, int] = {}

    def read(self, expressions: Iterable[Expression]) -> Property:
        common: list[Atom] = []
        choices: list[list[Conjunction]] = []
        line = 1
        for expression in expressions:
            line = expression.line
            if isinstance(expression, Symbol):
                raise LineError(line, f"{shown(expression.text)} stands outside a command")
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
                        _check_product(choices, line)
                case head:
                    raise LineError(
                        line,
                        f"the command {shown(head)} is not known; only declare-const and assert "
                        "(VNN-LIB 1) are read",
                    )
        inputs, outputs = self.count("X"), self.count("Y")
        if inputs == 0:
            raise LineError(1, "no X_0 is declared; is this a VNN-LIB property?")
        return self.multiplied_out(common, choices, inputs, outputs, line)

    def multiplied_out(
        self,
        common: Sequence[Atom],
        choices: Sequence[Sequence[Conjunction]],
        inputs: int,
        outputs: int,
        line: int,
    ) -> Property:
        """The property, one case a box; ``line``: of the last command."""
        bounds, shared = _sorted(common)
        count = prod(len(choice) for choice in choices)
        boxes = prod(len(choice) for choice in choices if _bounds_inputs(choice))
        rows = len(shared) + sum(max(map(len, choice)) for choice in choices)
        entries = boxes * 2 * inputs + count * rows * max(outputs, 1)
        if entries > MAX_ENTRIES:
            raise LineError(
                line,
                f"multiplied out the property has {boxes} boxes of {inputs} inputs and {count} "
                f"conditions of up to {rows} comparisons: {entries} numbers, and at most "
                f"{MAX_ENTRIES} are read",
            )
        base = ExactBox.whole(inputs).narrowed(bounds)
        if base.empty:
            return Property(self.path, inputs, outputs, (), count)
        grouped: dict[tuple[Side, ...], tuple[ExactBox, list[Alternative]]] = {}
        no_side: tuple[Side, ...] = ()
        empty = 0
        for choice in itertools.product(*choices):
            own, more = _sorted(itertools.chain.from_iterable(choice))
            box, key = base, no_side
            if own:  # look at nothing but the sides that this choice is about
                box, numbers = base.narrowed(own), sorted({i for row in own for i in row.inputs})
                if box.empty_at(numbers):
                    empty += 1
                    continue
                before = set(base.sides(numbers))
                key = tuple(side for side in box.sides(numbers) if side not in before)
            _, found = grouped.setdefault(key, (box, []))
            found.append((*shared, *more))
        cases = tuple(Case(box, tuple(found), outputs) for box, found in grouped.values())
        return Property(self.path, inputs, outputs, cases, empty)

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
        expression = _unwrapped(expression)
        if isinstance(expression, Symbol):
            raise LineError(expression.line, f"{shown(expression.text)} is not a condition")
        match expression.head:
            case "and":
                parts = [self.normal_form(a) for a in _arguments(expression)]
                _check_product(parts, expression.line)
                return [
                    tuple(itertools.chain.from_iterable(choice))
                    for choice in itertools.product(*parts)
                ]
            case "or":
                cases: list[Conjunction] = []
                atoms = 0
                _check_size(len(expression.items) - 1, 0, expression.line)
                for argument in _arguments(expression):
                    more = self.normal_form(argument)
                    atoms += sum(map(len, more))
                    _check_size(len(cases) + len(more), atoms, expression.line)
                    cases += more
                return cases
            case "<=" | ">=" | "<" | ">":
                return [(self.comparison(expression),)]
            case "":
                raise LineError(
                    expression.line,
                    "conditions stand side by side without an operator; write (and ...) or "
                    "(or ...) around them",
                )
            case head:
                raise LineError(
                    expression.line,
                    f"the condition {shown(head)} is not known; only and, or, <=, >=, < and > "
                    "are read",
                )

    def comparison(self, expression: List) -> Atom:
        """One comparison of two linear terms."""
        left, right = _arguments(expression, 2)
        strict, less = len(expression.head) == 1, expression.head.startswith("<")
        if isinstance(left, Symbol) and isinstance(right, Symbol):
            variable = self.variable(left)
            if variable is not None and _NAME.fullmatch(right.text) is None:
                value = number_of(right)  # a bound, as most are: nothing to add up
                if less:
                    return Atom({variable: MINUS_ONE}, value, expression.line, strict)
                return Atom({variable: ONE}, -value, expression.line, strict)
        first, second = (right, left) if less else (left, right)
        parts = [self.term(first), self.term(second).negated]
        return checked(Atom.total(parts, expression.line), expression.line, strict=strict)

    def term(self, expression: Expression) -> Atom:
        expression = _unwrapped(expression)
        if isinstance(expression, Symbol):
            return self.leaf(expression)
        parts = [self.term(a) for a in _arguments(expression)]
        match expression.head:
            case "+":
                return Atom.total(parts, expression.line)
            case "-":
                first, *others = parts
                if not others:
                    return first.negated
                return Atom.total([first, *(other.negated for other in others)], first.line)
            case "*":
                total = parts[0]
                for part in parts[1:]:
                    if total.coefficients and part.coefficients:
                        raise LineError(expression.line, "a product of variables is not linear")
                    constant, other = (part, total) if total.coefficients else (total, part)
                    total = other.times(constant.constant)
                return total
            case head:
                raise LineError(
                    expression.line,
                    f"the operation {shown(head)} is not known; only +, - and * are",
                )

    def leaf(self, symbol: Symbol) -> Atom:
        variable = self.variable(symbol)
        if variable is None:
            return Atom({}, number_of(symbol), symbol.line)
        return Atom({variable: ONE}, Fraction(0), symbol.line)

    def variable(self, symbol: Symbol) -> Variable | None:
        """The variable that ``symbol`` names; None where it is no name."""
        name = _NAME.fullmatch(symbol.text)
        if name is None:
            return None
        variable = (name.group(1), int(name.group(2)))
        if variable not in self.declared:
            raise LineError(symbol.line, f"{symbol.text} is used but not declared before")
        return variable


def _arguments(expression: List, number: int | None = None) -> tuple[Expression, ...]:
    arguments = expression.items[1:]
    if not arguments or (number is not None and len(arguments) != number):
        wanted = "at least 1" if number is None else str(number)
        raise LineError(
            expression.line,
            f"{shown(expression.head)} takes {wanted} argument(s), here it has {len(arguments)}",
        )
    return arguments


def _unwrapped(expression: Expression) -> Expression:
    """Without parentheses around nothing but one pair of parentheses."""
    while isinstance(expression, List) and len(expression.items) == 1:
        (inner,) = expression.items
        if isinstance(inner, Symbol):
            break
        expression = inner
    return expression


def _sorted(atoms: Iterable[Atom]) -> tuple[list[LinearRow], Alternative]:
    """Bounds on single inputs, and all other rows."""
    bounds: list[LinearRow] = []
    rows: list[LinearRow] = []
    for atom in atoms:
        row = atom.row
        (bounds if len(row.inputs) == 1 and not row.outputs else rows).append(row)
    return bounds, tuple(rows)


def _bounds_inputs(choice: Iterable[Conjunction]) -> bool:
    """Whether any alternative of ``choice`` has a box of its own."""
    return any(
        len(atom.coefficients) == 1 and "X" in next(iter(atom.coefficients))
        for atoms in choice
        for atom in atoms
    )


def _check_product(parts: Sequence[Sequence[Conjunction]], line: int) -> None:
    """Refuse alternatives that are too many once multiplied out, before they are."""
    cases = prod(len(part) for part in parts)
    atoms = sum(sum(map(len, part)) * (cases // len(part)) for part in parts)
    _check_size(cases, atoms, line)


def _check_size(cases: int, atoms: int, line: int) -> None:
    if cases > MAX_CASES:
        raise LineError(line, f"the property has {cases} cases; at most {MAX_CASES} are read")
    if atoms > MAX_ATOMS:
        raise LineError(
            line,
            f"multiplied out the property has {atoms} comparisons; at most {MAX_ATOMS} are read",
        )
