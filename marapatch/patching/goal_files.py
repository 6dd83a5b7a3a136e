"""Goals from files: a list of classes, a TOML file of goals, or the outputs of a VNN-LIB file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from marapatch.errors import InputError
from marapatch.network.output_transform import OutputTransform
from marapatch.patching.goals import NOTHING, Goal, any_of, linear, per_input
from marapatch.patching.options import DEFAULT_MARGIN
from marapatch.properties import Rule
from marapatch.vnnlib import read_property

KEYS = frozenset({"want", "avoid", "margin", "matrix", "rhs"})


def read_list(text: str) -> list[str]:
    """The entries of a list of goals: ``3``, ``3,5,0|1``, or a file with one a line.

    Lines that are empty or begin with ``#`` are left out. InputError where a file holds nothing.
    """
    path = Path(text)
    if not path.is_file():
        if path.suffix:
            raise InputError(f"{text}: no such file, and no list of classes such as 3,5,0|1")
        return [entry.strip() for entry in text.split(",")]
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{text}: cannot be read as a list of goals") from error
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
        goals = _toml(name, outputs, rule, margin, transform)
    else:
        raise InputError(f"{path}: a goal file ends in .toml or .vnnlib")
    if len(goals) == 1:
        goals = goals * inputs
    if len(goals) != inputs:
        raise InputError(
            f"{path}: holds {len(goals)} goals for {inputs} inputs; give 1 or {inputs}"
        )
    return tuple(goals)


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
    path: Path, outputs: int, rule: Rule, margin: float | None, transform: OutputTransform
) -> list[Goal]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: cannot be read as TOML: {reason}") from error
    entries = content.get("goal")
    if set(content) - {"goal"} or not isinstance(entries, list) or not entries:
        raise InputError(f"{path}: holds no goals; write [[goal]] tables and nothing else")
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
        raise InputError(f"{where}: {unknown[0]!r} is not one of {', '.join(sorted(KEYS))}")
    own = entry.get("margin", margin)
    if own is not None and not isinstance(own, int | float):
        raise InputError(f"{where}: the margin must be a number, not {own!r}")
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
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: matrix must be rows of numbers, rhs numbers") from error
    return goal
