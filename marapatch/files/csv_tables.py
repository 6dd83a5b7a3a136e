"""Rows of numbers in text files, between commas, semicolons or blanks."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError
from marapatch.files.memory import afford
from marapatch.files.reading import opened, shown, size_of

MAX_ROWS = 1_000_000
"""More rows than this are no set of inputs for a verifier; merely counting them takes seconds."""

BYTES_A_CHARACTER = 16
"""A file may be one line, which is held as text, in pieces, and as numbers."""

_BETWEEN = re.compile(r"[,;\s]\s*")
_WHOLE = re.compile(r"[+-]?[0-9]+")


def read_csv(
    name: Path, index: int | None, check: Callable[[tuple[int, ...]], None]
) -> tuple[NDArray[np.float64], bool]:
    """The numbers of a file, (rows, columns) or of one row (columns,), and whether all are whole.

    ``index``: the row wanted. ``check``: sees the shape before more than one row is read. Raises
    InputError, with the line's number, where rows have different lengths or hold anything else.
    """
    with opened(name) as file:
        afford(f"{name}, a text file,", BYTES_A_CHARACTER * size_of(file))
        rows = _count(name, file)
        if rows == 0:
            raise InputError(f"{name}: is empty")
        if index is not None and not 0 <= index < rows:
            raise InputError(f"{name}: --index {index} is not one of its {rows} rows")
        several = index is None and rows > 1
        numbers: list[NDArray[np.float64]] = []
        whole = True
        for place, (number, line) in enumerate(_lines(file)):
            if index is not None and place != index:
                continue
            text = line.strip().rstrip(",;")
            columns = 1 + sum(1 for _ in _BETWEEN.finditer(text))
            if not numbers:
                check((rows, columns) if several else (columns,))
            elif columns != numbers[0].size:
                raise InputError(
                    f"{name}, line {number}: {columns} numbers, the first row has {numbers[0].size}"
                )
            tokens = _BETWEEN.split(text)
            numbers.append(_numbers(f"{name}, line {number}", tokens))
            whole = whole and all(_WHOLE.fullmatch(token) for token in tokens)
    return np.array(numbers) if several else numbers[0], whole


def _count(name: Path, file: IO[bytes]) -> int:
    """The number of rows that are not blank."""
    rows = 0
    try:
        for rows, _ in enumerate(_lines(file), 1):  # used after the loop
            if rows > MAX_ROWS:
                raise InputError(f"{name}: has more than {MAX_ROWS} rows; give a part of it")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: is not a text file, so not a .csv of numbers") from error
    return rows


def _lines(file: IO[bytes]) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers (from 1)."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8-sig")
    try:
        for number, line in enumerate(text, 1):
            if not line.isspace():
                yield number, line
    finally:
        text.detach()  # the file is not ours to close


def _numbers(where: str, tokens: list[str]) -> NDArray[np.float64]:
    try:
        return np.array([float(token) for token in tokens])
    except ValueError:
        bad = next(token for token in tokens if not _is_number(token))
        raise InputError(f"{where}: {shown(bad)!r} is not a number") from None


def _is_number(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True
