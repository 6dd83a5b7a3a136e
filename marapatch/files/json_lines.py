"""A file of JSON lines that grows a row at a time and survives being killed at any moment."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marapatch.errors import InputError
from marapatch.files.reading import read_bytes

ROW_BYTES = 24.0
"""For each byte of a file: its lines, and the objects that they become."""

Row = dict[str, Any]
"""One object; its ``key`` names it."""


@dataclass(frozen=True)
class Store:
    """A JSON-lines file of rows; of rows with the same key the last one counts."""

    path: Path

    def rows(self) -> list[Row]:
        """The rows in the order in which their keys first appeared.

        A last line that was cut off by a crash is ignored. Raises InputError, with the line's
        number, where any other line is not an object with a ``key``.
        """
        if not self.path.exists():
            return []
        found: dict[str, Row] = {}
        content = read_bytes(self.path, ROW_BYTES)
        whole = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                row = json.loads(line)
                found[row["key"]] = row
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise InputError(
                    f"{self.path}, line {number}: not an object with a key; delete the line"
                ) from error
        return list(found.values())

    def append(self, row: Mapping[str, Any]) -> None:
        """Add ``row`` and wait until it is on the disk; NaN and infinity are refused."""
        line = json.dumps(row, allow_nan=False).encode() + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # another run may be adding to it
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)  # nothing of a line that was cut off
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
