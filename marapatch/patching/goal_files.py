"""Goals from files: a list of classes, a TOML file of goals, or the outputs of a VNN-LIB file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from marapatch.errors import InputError
from marapatch.files.reading import one_line, read_text, shown
from marapatch.formats.vnnlib.reader import read_property
from marapatch.network.output_transform import OutputTransform
from marapatch.patching.goals import NOTHING, Goal, any_of, linear, per_input
from marapatch.patching.options import DEFAULT_MARGIN
from marapatch.problem.conditions import Rule

MAX_TOML = 2**18
"""Characters in a file of goals: room for some ten thousand numbers, read within a second."""

MAX_DOTS = 200
"""Dots between two separators of a goal file: reading a dotted key costs its length squared."""

_BETWEEN = re.compile(r"[,=\[\]{}\n]")

KEYS = frozenset({"want", "avoid", "margin", "matrix", "rhs"})


def read_list(text: str) -> list[str]:
    """The entries of a list of goals: ``3``, ``3,5,0|1``, or a file with one a line.

    Lines that are empty or begin with ``#`` are left out. InputError where a file holds nothing.
    """
    path = Path(text)
    try:
        there = path.is_file()
    except (OSError, ValueError):  # longer than any file's name
        there = False
    if not there:
        if path.suffix:
            raise InputError(f"{text}: no such file, and no list of classes such as 3,5,0|1")
        return [entry.strip() for entry in text.split(",")]
    lines = [line.strip() for line in read_text(path, "a list of goals", 100.0).splitlines()]
    entries = [line for line in lines if line and not line.startswith("#")]
    if not entries:
        raise InputError(f"{text}: holds no goal; write one a line, such as 3 or 0|1")
    return entries


def read_goals(
    path: str | Path,
    inputs: int,
    outputs: int,
    rule: Rule,
    margin: float | None,
    transform: OutputTransform = OutputTransform.NONE,
) -> tuple[Goal, ...]:
    """The goals of a .toml or .vnnlib file: one for all inputs, or one an input.

    TOML: one ``[[goal]]`` after the other, each with ``want`` or ``avoid`` (as on the command
    line), or ``matrix`` and ``rhs`` (every row: matrix y >= rhs), and its own ``margin`` if any.
    VNN-LIB: the conditions that the file asserts of the outputs are what is wanted, whatever the
    file calls unsafe; its bounds on inputs play no part. ``margin``: added to every condition
    (None: 1e-3 for classes, 0 for linear conditions). ``transform``: what the network's file does
    last; linear conditions are on what it gives. Raises :class:`InputError`, naming the file.
    """
    name = Path(path)
    if name.suffix.lower() == ".vnnlib":
        goals = [_vnnlib(name, outputs, margin, transform)]
    elif name.suffix.lower() == ".toml":
        goals = _toml(name, inputs, outputs, rule, margin, transform)
    else:
        raise InputError(f"{path}: a goal file ends in .toml or .vnnlib")
    return tuple(goals * inputs if len(goals) == 1 else goals)


def _vnnlib(path: Path, outputs: int, margin: float | None, transform: OutputTransform) -> Goal:
    read = read_property(path)
    if read.outputs != outputs:
        raise InputError(f"{path}: declares {read.outputs} outputs, the network has {outputs}")
    if read.empty:
        raise InputError(
            f"{path}: {read.empty} of its cases have an empty input box; what is wanted of the "
            "outputs there is not clear"
        )
    asked = margin or 0.0
    goals: list[Goal] = []
    try:
        for condition in (each for case in read.cases for each in case.conditions):
            if not condition.rhs.size:
                raise InputError("one of its cases asks nothing of the outputs")
            goals.append(
                linear(condition.matrix, condition.rhs, outputs, asked, transform=transform)
            )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return any_of(goals, path.name, asked)


def _toml(
    path: Path,
    inputs: int,
    outputs: int,
    rule: Rule,
    margin: float | None,
    transform: OutputTransform,
) -> list[Goal]:
    text = read_text(path, "a TOML file of goals")
    if len(text) > MAX_TOML:
        raise InputError(
            f"{path}: has {len(text)} characters, a file of goals has at most {MAX_TOML}"
        )
    if max(part.count(".") for part in _BETWEEN.split(text)) > MAX_DOTS:
        raise InputError(f"{path}: a key with so many dots is not one of {', '.join(sorted(KEYS))}")
    try:
        content = tomllib.loads(text)
    except RecursionError as error:
        raise InputError(f"{path}: its brackets are nested too deep; a matrix has two") from error
    except ValueError as error:  # also a number of more than 4300 digits
        raise InputError(f"{path}: cannot be read as TOML: {one_line(error)}") from error
    entries = content.get("goal")
    if set(content) - {"goal"} or not isinstance(entries, list) or not entries:
        raise InputError(f"{path}: holds no goals; write [[goal]] tables and nothing else")
    if len(entries) not in (1, inputs):
        raise InputError(
            f"{path}: holds {len(entries)} goals for {inputs} inputs; give 1 or {inputs}"
        )
    return [
        _entry(f"{path}, goal {i}", entry, outputs, rule, margin, transform)
        for i, entry in enumerate(entries)
    ]


def _entry(
    where: str,
    entry: Any,
    outputs: int,
    rule: Rule,
    margin: float | None,
    transform: OutputTransform,
) -> Goal:
    unknown = sorted(set(entry) - KEYS) if isinstance(entry, dict) else ["(no table)"]
    if unknown:
        raise InputError(f"{where}: {shown(unknown[0])!r} is not one of {', '.join(sorted(KEYS))}")
    own = entry.get("margin", margin)
    if own is not None and not isinstance(own, int | float):
        raise InputError(f"{where}: the margin must be a number, not {shown(repr(own))}")
    named, rows = {"want", "avoid"} & set(entry), {"matrix", "rhs"} & set(entry)
    if (named and rows) or (not named and rows != {"matrix", "rhs"}):
        raise InputError(f"{where}: give want or avoid, or matrix and rhs")
    try:
        if rows:
            matrix = np.array(entry["matrix"], dtype=np.float64)
            return linear(matrix, entry["rhs"], outputs, own or 0.0, transform=transform)
        want, avoid = str(entry.get("want", NOTHING)), str(entry.get("avoid", NOTHING))
        asked = DEFAULT_MARGIN if own is None else float(own)
        (goal,) = per_input([want], [avoid], 1, outputs, rule, asked)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"{where}: matrix must be rows of numbers, rhs numbers") from error
    return goal
