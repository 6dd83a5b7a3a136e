"""MPS and LP files: a query's mixed-integer program, written by HiGHS."""

from __future__ import annotations

import re
from pathlib import Path

import highspy
import numpy as np

from marapatch.errors import BackendError, InputError
from marapatch.query.query import Query
from marapatch.solvers.base import Infeasible, Undecided
from marapatch.solvers.highs.backend import REFUSED, open_solver
from marapatch.solvers.highs.milp import Program, translate


def write_milp(query: Query, path: Path) -> int:
    """Write the mixed-integer program of ``query`` to ``path`` (.mps or .lp); its binaries.

    Columns are called after the query's variables as ``v<i>_<name>``, binaries ``b<i>``. Exact as
    :func:`~marapatch.solvers.highs.milp.translate` is. Raises InputError where the suffix is
    another, a big-M needs a bound that does not follow, or interval propagation proves
    infeasibility (there is no program to write then).
    """
    if path.suffix not in (".mps", ".lp"):
        raise InputError(f"{path}: a program is written as .mps or .lp")
    program = translate(query)
    match program:
        case Infeasible():
            raise InputError("interval propagation proves the query infeasible; nothing to write")
        case Undecided(reason=reason):
            raise InputError(reason)
    solver = open_solver(program, np.zeros(program.variables))
    if solver is None:
        raise InputError(REFUSED)
    for column, name in enumerate(column_names(query, program)):
        solver.passColName(column, name)
    if solver.writeModel(str(path)) == highspy.HighsStatus.kError:
        raise BackendError(f"{path}: HiGHS could not write the program")
    return int(program.integer.sum())


def column_names(query: Query, program: Program) -> list[str]:
    """The names of the columns, without characters the formats use themselves."""
    names = [f"v{i}_{re.sub(r'[^A-Za-z0-9_.]', '_', name)}" for i, name in enumerate(query.names)]
    return names + [f"b{i}" for i in range(program.lower.size - program.variables)]
