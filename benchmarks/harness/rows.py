"""The rows of a suite on the disk, and what is written into every row.

A suite has two files under ``benchmarks/results``: NAME.jsonl.xz holds what was measured before,
compressed and committed; NAME.jsonl what was added since, a line a row, each written through to the
disk as soon as it is known. Of rows with the same key the last one counts. ``python -m benchmarks
pack`` takes the second file up into the first; both are read until then, so a run that is stopped
or killed at any moment goes on where it ended.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import lzma
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from pathlib import Path
from typing import Any

from marapatch.errors import InputError
from marapatch.files.json_lines import Row, Store

__all__ = [
    "RESULTS",
    "Row",
    "Rows",
    "finite",
    "load_average",
    "pack_all",
    "processor_seconds",
    "provenance",
]

RESULTS = Path(__file__).resolve().parents[1] / "results"
"""Where rows are kept; the compressed ones are committed."""


@dataclass(frozen=True)
class Rows:
    """The rows of the suite ``name`` in ``folder``."""

    name: str
    folder: Path = RESULTS

    @property
    def packed(self) -> Path:
        """The compressed file."""
        return self.folder / f"{self.name}.jsonl.xz"

    @property
    def added(self) -> Store:
        """What is not compressed yet."""
        return Store(self.folder / f"{self.name}.jsonl")

    def all(self) -> list[Row]:
        """The rows in the order in which their keys first appeared.

        Raises InputError, with the line's number, where a line is not an object with a key.
        """
        found: dict[str, Row] = {}
        if self.packed.exists():
            with lzma.open(self.packed, "rt", encoding="utf-8") as lines:
                for number, line in enumerate(lines, 1):
                    try:
                        row = json.loads(line)
                        found[row["key"]] = row
                    except (ValueError, KeyError, TypeError) as error:
                        raise InputError(
                            f"{self.packed}, line {number}: not an object with a key; "
                            "take the file from the repository again"
                        ) from error
        found |= {row["key"]: row for row in self.added.rows()}
        return list(found.values())

    def keys(self) -> set[str]:
        """The keys of what is known."""
        return {row["key"] for row in self.all()}

    def append(self, row: Mapping[str, Any]) -> Row:
        """Add ``row`` with its :func:`provenance` and the machine's load; what was written."""
        whole: Row = {**row, "load": load_average(), **provenance()}
        self.added.append(whole)
        return whole

    def forget(self, unwanted: Callable[[Row], bool]) -> None:
        """Drop the rows that are ``unwanted``."""
        rows = self.all()
        kept = [row for row in rows if not unwanted(row)]
        if len(kept) < len(rows):
            self._replace(kept)

    def pack(self) -> None:
        """Compress what was added, with the rest."""
        if self.added.path.exists():
            self._replace(self.all())

    def _replace(self, rows: Sequence[Row]) -> None:
        """Make ``rows`` all there is; each file is replaced in one step.

        Killed between the two steps, what was added is in both files, which changes nothing, but
        that a row that was to be forgotten is still known.
        """
        text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
        beside = self.packed.with_suffix(".tmp")
        beside.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
        beside.replace(self.packed)
        self.added.path.unlink(missing_ok=True)


def pack_all(folder: Path = RESULTS) -> list[str]:
    """Compress what was added to any suite; the names of those suites."""
    names = sorted(path.stem for path in folder.glob("*.jsonl"))
    for name in names:
        Rows(name, folder).pack()
    return names


@cache
def provenance() -> Row:
    """What produced a row: versions, and ``source``, the sha256 of the packages' Python files.

    ``source`` tells apart rows of the same version made while the code was being changed.
    """
    digest = hashlib.sha256()
    for name in ("marapatch_encodings", "marapatch"):
        folder = Path(str(importlib.import_module(name).__file__)).parent
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(file.read_bytes() + b"\0")
    row: Row = {"python": platform.python_version(), "source": digest.hexdigest()[:16]}
    for name in ("marapatch", "maraboupy", "highspy", "numpy", "onnxruntime"):
        try:
            row[name] = version(name)
        except PackageNotFoundError:
            row[name] = None
    return row


def finite(value: float) -> float | None:
    """``value`` for JSON, which has no infinity: None stands for it."""
    return float(value) if isfinite(value) else None


def load_average() -> float | None:
    """How many processes wanted a processor in the last minute; None where unknown."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None


def processor_seconds() -> float:
    """Processor time of this process and of the solver processes it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
