"""S-expressions, the syntax under VNN-LIB: symbols and lists that know their line."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_DEPTH = 100
"""Deeper nesting than this is refused: no property in use comes near."""


class LineError(Exception):
    """Something on ``line`` is not understood; whoever knows the file's name reports it."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name, a number or a string, and the line (from 1) on which it stands."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class List:
    """What stands between parentheses, and the line on which they open."""

    items: tuple[Symbol | List, ...]
    line: int

    @property
    def head(self) -> str:
        """The operator or command, or an empty string."""
        first = self.items[0] if self.items else None
        return first.text if isinstance(first, Symbol) else ""


Expression = Symbol | List
"""An s-expression."""

_TOKEN = re.compile(r'[()]|"[^"\n]*"|[^\s()";]+|;[^\n]*|\n|"')


def parse(text: str) -> list[Expression]:
    """The s-expressions of ``text``; comments (from ``;`` to the end of the line) are left out.

    Raises LineError where parentheses do not match or nest deeper than ``MAX_DEPTH``.
    """
    finished: list[Expression] = []
    stack: list[tuple[list[Expression], int]] = [(finished, 0)]
    line = 1
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token == "\n":
            line += 1
        elif token == "(":
            if len(stack) > MAX_DEPTH:
                raise LineError(line, f"parentheses are nested more than {MAX_DEPTH} deep")
            stack.append(([], line))
        elif token == ")":
            if len(stack) == 1:
                raise LineError(line, "a ')' closes nothing")
            items, opened = stack.pop()
            stack[-1][0].append(List(tuple(items), opened))
        elif not token.startswith(";"):
            stack[-1][0].append(Symbol(token, line))
    if len(stack) > 1:
        raise LineError(stack[-1][1], "the '(' here is never closed; is the file truncated?")
    return finished
