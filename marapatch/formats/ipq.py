"""Marabou's own query file (.ipq), written and read back by Marabou itself."""

from __future__ import annotations

from pathlib import Path

from marapatch.query.query import Query
from marapatch.solvers.base import Answer
from marapatch.solvers.marabou.backend import MarabouBackend


def save_ipq(query: Query, path: Path, backend: MarabouBackend) -> str:
    """Have Marabou write ``query`` to ``path``; return the variable map as text (CSV).

    The file holds the query as :mod:`marapatch.solvers` puts it to Marabou: rewritten to what
    Marabou answers rightly, so with a few variables more, and numbered anew. Marabou writes ten
    decimals a number: a verdict on the file is one on numbers that differ by up to 5e-11. Load it
    with ``MarabouCore.loadQuery(path)``. Raises BackendError where Marabou cannot write it.
    """
    return variable_map(query, backend.save(query, path))


def load_and_solve(query: Query, path: Path, backend: MarabouBackend, timeout: float) -> Answer:
    """Marabou's answer to the file ``path``, which :func:`save_ipq` wrote for ``query``."""
    return backend.solve_file(query, path, timeout)


def variable_map(query: Query, place: list[int]) -> str:
    """One line a variable: Marabou's number, the number and the name in the query, bounds."""
    lines = ["marabou,query,name,lower,upper"]
    for i, (number, name) in enumerate(zip(place, query.names, strict=True)):
        quoted = '"' + name.replace('"', '""') + '"'
        lines.append(f"{number},{i},{quoted},{float(query.lower[i])!r},{float(query.upper[i])!r}")
    return "\n".join(lines) + "\n"
