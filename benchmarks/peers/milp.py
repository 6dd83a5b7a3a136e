"""The peer of the tree: the nearest input as one mixed-integer program, given to HiGHS.

The incumbent is a bound on the distance; HiGHS runs with its own tolerances, on one thread. The
program: see :mod:`benchmarks.peers.milp_program`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from time import monotonic

import highspy
import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.milp_program import model, root_bounds, scaled
from marapatch.bounds.crown import linear_bounds
from marapatch.problem.question import Question
from marapatch.problem.verdict import Witness
from marapatch.solvers.highs.backend import explain, open_solver, run, set_option
from marapatch.witnesses.linear_region import nearest_in_region, region
from marapatch.witnesses.polish import confirm

Array = NDArray[np.float64]

CLOSE = 0.98
"""The share of the tolerance that is used up, as in the tree: the rest is for rounding."""

DEFAULTS = {
    "primal_feasibility_tolerance": 1e-7,
    "dual_feasibility_tolerance": 1e-7,
    "mip_feasibility_tolerance": 1e-6,
    "small_matrix_value": 1e-9,
}
"""HiGHS's own; the backend asks for more, which costs time."""


@dataclass(frozen=True, eq=False)
class Minimum:
    """What HiGHS found: ``lower`` is its word, ``witness`` is replayed; ``nodes`` of its tree.

    ``solved``: it says that there is nothing nearer than the incumbent, or that it has the
    nearest input to within the tolerance. ``value``: the distance of its own solution, infinite
    without one. ``note``: what it says.
    """

    lower: float
    witness: Witness | None
    solved: bool
    value: float
    unstable: int
    nodes: int
    note: str


def minimise(
    question: Question,
    incumbent: Witness | None,
    tolerance: float,
    timeout: float,
    *,
    strict: bool = False,
) -> Minimum:
    """The nearest input that is nearer than ``incumbent`` by the tolerance, if there is one.

    Without an incumbent: of the question's ball. ``strict``: scaled, with the tolerances of the
    project's backend, and without a gap.
    """
    started = monotonic()
    radius = question.ball.radius
    if incumbent is not None:
        radius = max(incumbent.distance - CLOSE * tolerance, 0.0)
    # Where nothing is within the radius: nothing at all, if that is the whole box.
    nothing = inf if incumbent is None and radius >= question.ball.covering_radius else radius
    bounds = root_bounds(question, radius)
    unstable = int(bounds.unstable.sum())
    if bounds.refuted:
        return Minimum(nothing, incumbent, True, inf, unstable, 0, "refuted by bounds")
    built = model(question, bounds)
    program = scaled(built.program, built.units) if strict else built.program
    solver = open_solver(program, built.cost)
    if solver is None:
        return Minimum(0.0, incumbent, False, inf, unstable, 0, "HiGHS refuses the program")
    if not strict:
        for option, value in {**DEFAULTS, "mip_abs_gap": CLOSE * tolerance}.items():
            set_option(solver, option, value)
    set_option(solver, "time_limit", max(timeout - (monotonic() - started), 0.1))
    status = run(solver)
    info, name = solver.getInfo(), "failed" if status is None else status.name
    nodes = max(int(info.mip_node_count), 0)
    if name == "kInfeasible":
        return Minimum(nothing, incumbent, True, inf, unstable, nodes, "nothing nearer")
    values = np.array(solver.getSolution().col_value, dtype=np.float64)
    witness, distance = incumbent, inf
    feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    if feasible and np.isfinite(values).all():
        distance = float(built.cost @ values)
        witness = repaired(question, built.change @ values, incumbent)
    solved, mixed = name == "kOptimal", bool(built.program.integer.any())
    dual = float(info.mip_dual_bound if mixed else info.objective_function_value)
    lower = min(dual, radius) if np.isfinite(dual) and (mixed or solved) else 0.0
    note = "the nearest" if solved else explain(status)
    return Minimum(max(lower, 0.0), witness, solved, distance, unstable, nodes, note)


def repaired(question: Question, change: Array, incumbent: Witness | None) -> Witness | None:
    """The nearer of the incumbent and a witness in the linear region of what HiGHS found.

    HiGHS's own solution lies on the edge of that region, and often just beyond it.
    """
    ball = question.ball
    x = np.clip(ball.centre + change, ball.lower, ball.upper)
    pattern = tuple(z[0] > 0.0 for z in question.form.pre_activations(x[None])[0])
    here = region(question, pattern, linear_bounds(question.form, ball))
    nearest = nearest_in_region(question, here, ball.radius)
    found = [question.replay(x)] if nearest is None else [confirm(question, here, nearest)]
    return min(
        (witness for witness in (*found, incumbent) if witness is not None),
        key=lambda witness: witness.distance,
        default=None,
    )
