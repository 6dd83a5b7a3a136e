"""S-expressions, the syntax under VNN-LIB: symbols and lists that know their line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_DEPTH = 100
"""Deeper nesting than this is refused: no property in use comes near."""

MAX_TOKENS = 1_000_000
"""Names, numbers and parentheses in one expression: more are refused, as they take GBs to hold."""

SHOWN_WORD = 40
"""Characters of a name in the file that an error repeats."""


class LineError(Exception):
    """Something on ``line`` is not understood; whoever knows the file's name reports it."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def shown(text: str) -> str:
    """``text`` of a file in quotes, cut where it is long."""
    return repr(text if len(text) <= SHOWN_WORD else text[:SHOWN_WORD] + "...")


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


def parse(text: str) -> Iterator[Expression]:
    """The s-expressions of ``text``, one after the other; comments (from ``;`` to the end of the
    line) are left out.

    Raises LineError where parentheses do not match or nest deeper than ``MAX_DEPTH``, and where
    one expression has more than ``MAX_TOKENS`` tokens.
    """
    stack: list[tuple[list[Expression], int]] = []
    line, tokens = 1, 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token == "\n":
            line += 1
            continue
        if token.startswith(";"):
            continue
        tokens += 1
        if tokens > MAX_TOKENS:
            raise LineError(line, f"one expression has more than {MAX_TOKENS} names and numbers")
        if token == "(":
            if len(stack) >= MAX_DEPTH:
                raise LineError(line, f"parentheses are nested more than {MAX_DEPTH} deep")
            stack.append(([], line))
            continue
        finished: Expression = Symbol(token, line)
        if token == ")":
            if not stack:
                raise LineError(line, "a ')' closes nothing")
            items, opened = stack.pop()
            finished = List(tuple(items), opened)
        if stack:
            stack[-1][0].append(finished)
        else:
            tokens = 0
            yield finished
    if stack:
        raise LineError(stack[-1][1], "the '(' here is never closed; is the file truncated?")
