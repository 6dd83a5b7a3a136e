"""A query as a file, in the format that the file's suffix names."""

from __future__ import annotations

import tempfile
from pathlib import Path

from marapatch.errors import InputError
from marapatch.files.atomic_write import write_whole
from marapatch.formats.ipq import save_ipq
from marapatch.formats.mps import write_milp
from marapatch.formats.smtlib import smtlib
from marapatch.query.query import Query
from marapatch.solvers.marabou.backend import MarabouBackend

SUFFIXES = (".ipq", ".smt2", ".mps", ".lp", ".txt")


def files_of(path: Path) -> tuple[Path, ...]:
    """The files that :func:`write_query` writes for ``path``: beside an .ipq its variable map."""
    return (path, path.with_name(path.name + ".csv")) if path.suffix == ".ipq" else (path,)


def write_query(query: Query, path: Path) -> tuple[Path, ...]:
    """Write ``query`` to ``path``; the files written, each whole or not at all.

    ``.ipq``: Marabou's, by Marabou, with ten decimals a number (so not exact), and beside it the
    map of variables, ``path`` with ``.csv`` appended. ``.smt2``: exact. ``.mps``, ``.lp``: the
    mixed-integer program, by HiGHS. ``.txt``: the canonical text, exact. Raises InputError for
    another suffix, and where the query is decided without a solver.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: the suffix must be one of {', '.join(SUFFIXES)}")
    files = files_of(path)
    match path.suffix:
        case ".smt2":
            write_whole(path, smtlib(query).encode())
        case ".txt":
            write_whole(path, query.text.encode())
        case suffix:
            with tempfile.TemporaryDirectory(prefix="marapatch-") as folder:
                part = Path(folder) / f"query{suffix}"
                if suffix == ".ipq":
                    with MarabouBackend() as backend:
                        write_whole(files[1], save_ipq(query, part, backend).encode())
                else:
                    write_milp(query, part)
                write_whole(path, part.read_bytes())
    return files
