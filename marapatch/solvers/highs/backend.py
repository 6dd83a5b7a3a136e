"""HiGHS as a backend: the query as a mixed-integer linear program."""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

import highspy
import numpy as np
from numpy.typing import ArrayLike, NDArray

from marapatch.errors import BackendError
from marapatch.linear_programs.highs import new_highs, run_highs
from marapatch.query.query import Query
from marapatch.query.reduction import check_objective, check_timeout
from marapatch.solvers.base import Answer, Candidate, ExactBackend, Infeasible, Optimum, Undecided
from marapatch.solvers.highs.interruptible import interruptible
from marapatch.solvers.highs.milp import Program, translate

HIGHS_TOLERANCE = 1e-9
"""By how much a row or a bound may be missed, and a binary be off an integer."""

REFUSED = "HiGHS does not take this program (usually a coefficient above 1e15); scale it"

_Status = highspy.HighsModelStatus


@dataclass(frozen=True)
class HighsBackend(ExactBackend):
    """Answers queries with HiGHS: branch and cut with zero gap on one thread.

    Trusts HiGHS within :data:`HIGHS_TOLERANCE` (evidence: solver). It runs in this process, so
    nothing but HiGHS itself ends it: it looks at its clock at every simplex iteration and in its
    presolve and heuristics, which in practice ends it within a second of the timeout; a caller who
    needs a hard limit runs it in a process of its own. Ctrl-C is seen when it returns.
    """

    @property
    def name(self) -> str:
        """``highs``."""
        return "highs"

    def solve(self, query: Query, timeout: float) -> Answer:
        """Infeasible where HiGHS says kInfeasible (or interval propagation proves it); a feasible
        point of the program, optimal or not, is a Candidate; all else is Undecided. Undecided
        too where a big-M would need a bound that does not follow from the query."""
        optimum = self.minimise(query, np.zeros(len(query.names)), timeout)
        if optimum.infeasible:
            return Infeasible()
        if optimum.assignment is not None:
            return Candidate(optimum.assignment)
        return Undecided(optimum.reason)

    def minimise(self, query: Query, objective: ArrayLike, timeout: float) -> Optimum:
        """Minimise ``objective @ x`` over the assignments of ``query``.

        ``objective``: one coefficient a variable. The bound is HiGHS's dual bound, also where it
        stops early, so ``bound <= minimum <= objective @ assignment`` up to its tolerances.
        """
        check_timeout(timeout)
        costs = check_objective(objective, len(query.names))
        start = time.monotonic()
        program = translate(query)
        match program:
            case Infeasible():
                return Optimum(inf, None)
            case Undecided(reason=reason):
                return Optimum(-inf, None, reason)
        left = timeout - (time.monotonic() - start)
        if left <= 0.0:
            return Optimum(-inf, None, "timeout: while translating the query")
        return minimise_program(program, costs, left)


def minimise_program(program: Program, costs: NDArray[np.float64], timeout: float) -> Optimum:
    """Minimise ``costs @ x`` (costs: one a query variable) within ``timeout`` seconds."""
    if program.lower.size == 0:
        return Optimum(0.0, np.zeros(0))
    solver = open_solver(program, costs)
    if solver is None:
        return Optimum(-inf, None, REFUSED)
    set_option(solver, "time_limit", timeout)
    status = run(solver)
    if status == _Status.kUnboundedOrInfeasible:  # presolve cannot tell; the simplex method can
        set_option(solver, "presolve", "off")
        status = run(solver)
    info = solver.getInfo()
    found = None
    if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
        values = np.array(solver.getSolution().col_value, dtype=np.float64)[: program.variables]
        found = values if np.isfinite(values).all() else None
    if status == _Status.kInfeasible:
        return Optimum(inf, None)
    is_mip = bool(program.integer.any())
    if status == _Status.kOptimal and found is not None:
        value = info.mip_dual_bound if is_mip else info.objective_function_value
        return Optimum(float(value), found)
    bound = float(info.mip_dual_bound) if is_mip else -inf
    bound = bound if isfinite(bound) else -inf
    return Optimum(bound, found, explain(status))


def explain(status: Any) -> str:
    """Why HiGHS stopped without deciding, for people."""
    if status is None:
        return "HiGHS failed"
    if status == _Status.kTimeLimit:
        return "timeout: HiGHS gave up"
    if status in (_Status.kUnbounded, _Status.kUnboundedOrInfeasible):
        return "the objective is unbounded below"
    return f"HiGHS stopped with {status.name}"


def run(solver: Any) -> Any:
    """Run HiGHS and give its model status; None where the run failed, or ended with a warning
    and yet claims infeasibility."""
    if hasattr(solver, "HandleUserInterrupt"):  # older versions cannot be told to stop
        solver.HandleUserInterrupt = True
        outcome = interruptible(lambda: run_highs(solver), solver.cancelSolve)
    else:
        outcome = interruptible(lambda: run_highs(solver), lambda: None)
    status = solver.getModelStatus()
    if outcome == highspy.HighsStatus.kError:
        return None
    if status == _Status.kInfeasible and outcome != highspy.HighsStatus.kOk:
        return None
    return status


def open_solver(program: Program, costs: NDArray[np.float64]) -> Any:
    """A silent HiGHS model of ``program`` with the project's tolerances; None where HiGHS does
    not take it."""
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = program.lower.size, program.row_lower.size
    lp.col_cost_ = np.concatenate([costs, np.zeros(program.lower.size - costs.size)])
    lp.col_lower_, lp.col_upper_ = program.lower, program.upper
    lp.row_lower_, lp.row_upper_ = program.row_lower, program.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = program.matrix.indptr.astype(np.int32)
    lp.a_matrix_.index_ = program.matrix.indices.astype(np.int32)
    lp.a_matrix_.value_ = program.matrix.data
    if program.integer.any():
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[int(i)] for i in program.integer]
    solver = new_highs()
    settings: dict[str, bool | int | float] = {
        "threads": 1,
        "primal_feasibility_tolerance": HIGHS_TOLERANCE,
        "dual_feasibility_tolerance": HIGHS_TOLERANCE,
        "mip_feasibility_tolerance": HIGHS_TOLERANCE,
        "mip_rel_gap": 0.0,
        "mip_abs_gap": 0.0,
        "small_matrix_value": 1e-12,
    }
    for option, value in settings.items():
        set_option(solver, option, value)
    return None if solver.passModel(lp) == highspy.HighsStatus.kError else solver


def set_option(solver: Any, option: str, value: bool | int | float | str) -> None:
    """Set one HiGHS option; BackendError where this version of HiGHS does not know it."""
    if solver.setOptionValue(option, value) != highspy.HighsStatus.kOk:
        raise BackendError(f"HiGHS refuses option {option} = {value}; install highspy>=1.7")
