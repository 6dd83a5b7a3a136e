"""The peer of the tree: the nearest input as one mixed-integer linear program, given to HiGHS.

The form of Tjeng, Xiao, Tedrake, "Evaluating Robustness of Neural Networks with Mixed Integer
Programming", section 4: a binary a neuron whose phase the bounds leave open, the distance
minimised. Its bounds are those with which the tree begins, and the incumbent is a bound on the
distance; HiGHS runs with its own tolerances, on one thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from time import monotonic

import highspy
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.attacks.polish import confirm
from marapatch.backends.highs import explain, open_solver, run, set_option
from marapatch.backends.milp import Program
from marapatch.ball import Norm
from marapatch.bounds.linear import linear_bounds
from marapatch.bounds.nodes import NodeBounder
from marapatch.question import Question
from marapatch.regions import nearest_in_region, region
from marapatch.verdict import Witness

Array = NDArray[np.float64]

ROOT_STEPS = 60
ROOT_ROUNDS = 3
"""As the tree bounds its root."""

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
class RootBounds:
    """Bounds of the pre-activations of all ReLU layers together, for inputs within ``radius``
    that meet the condition. ``refuted``: there are none."""

    radius: float
    lower: Array
    upper: Array
    refuted: bool

    @property
    def unstable(self) -> NDArray[np.bool_]:
        """Which neurons can be on either side of 0."""
        return (self.lower < 0.0) & (self.upper > 0.0)


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


def root_bounds(question: Question, radius: float) -> RootBounds:
    """Linear bounds, tightened by the cut that the root's own bound proves, as in the tree."""
    bounds = linear_bounds(question.form, question.ball.at(radius))
    bounder = NodeBounder(question.form, bounds, question.condition)
    result = bounder.bound(bounder.root(bounds), ROOT_STEPS)
    for _ in range(ROOT_ROUNDS):
        if result.value[0] > 0.0 or result.nodes.empty[0]:
            break
        result = bounder.bound(bounder.tighten(result.nodes), ROOT_STEPS)
    nodes = result.nodes
    refuted = bool(result.value[0] > 0.0 or nodes.empty[0])
    return RootBounds(radius, nodes.lower[0], nodes.upper[0], refuted)


@dataclass(frozen=True, eq=False)
class _Model:
    """The program; ``change @ columns`` is the change of the input, ``cost`` the distance.

    ``units``: by column, the power of two above its largest value; 1 where ``change`` or ``cost``
    uses it.
    """

    program: Program
    cost: Array
    change: sp.csr_array
    units: Array


def model(question: Question, bounds: RootBounds) -> _Model:
    """The inputs within ``bounds.radius`` that meet the condition, by mixed-integer rows.

    Columns: the change of each input that may change (L1: its rise and its fall, whose sum is
    the distance; L-inf: one column, and one for the distance), the pre-activation of each neuron
    that is not inactive, and of each unstable one the activation and a binary.
    """
    form, ball, unstable = question.form, question.ball, bounds.unstable
    fall, rise = ball.at(bounds.radius).reach
    used = bounds.upper > 0.0
    if ball.norm is Norm.L1:
        rises, falls = np.flatnonzero(rise > 0.0), np.flatnonzero(fall > 0.0)
        first = rises.size + falls.size
        low, high = np.zeros(first), np.concatenate([rise[rises], fall[falls]])
        cost = np.ones(first)
    else:
        free = np.flatnonzero((rise > 0.0) | (fall > 0.0))
        first = free.size + 1
        low, high = np.append(-fall[free], 0.0), np.append(rise[free], bounds.radius)
        cost = np.append(np.zeros(free.size), 1.0)
    pre, activation = first, first + int(used.sum())
    binary = activation + int(unstable.sum())
    columns = binary + int(unstable.sum())
    at_pre, at_unstable = np.cumsum(used) - 1, np.cumsum(unstable) - 1

    def ones(rows: Array, at: Array, count: int, values: object = 1.0) -> sp.csr_array:
        entries = np.broadcast_to(np.asarray(values, np.float64), np.shape(rows))
        return sp.csr_array((entries, (rows, at)), shape=(count, columns))

    each = np.arange(int(unstable.sum()))
    if ball.norm is Norm.L1:
        change = ones(rises, np.arange(rises.size), form.inputs) - ones(
            falls, rises.size + np.arange(falls.size), form.inputs
        )
        ball_rows = sp.csr_array(np.append(cost, np.zeros(columns - first))[None])
        blocks = [(ball_rows, np.full(1, -inf), np.full(1, bounds.radius))]
    else:
        change = ones(free, np.arange(free.size), form.inputs)
        sides = []
        for sign, room in ((1.0, rise[free]), (-1.0, fall[free])):
            here = np.flatnonzero(room > 0.0)
            rows = np.arange(here.size)
            distance = ones(rows, np.full(here.size, first - 1), here.size)
            sides.append(ones(rows, here, here.size, sign) - distance)
        ball_rows = sp.vstack(sides, format="csr")
        blocks = [(ball_rows, np.full(ball_rows.shape[0], -inf), np.zeros(ball_rows.shape[0]))]

    sources: list[tuple[sp.csr_array, Array]] = [(change, np.asarray(ball.centre))]
    ends = np.cumsum([layer.outputs for layer in form.hidden], dtype=int)
    for k, layer in enumerate((*form.hidden, form.output)):
        matrix = sp.csr_array((layer.outputs, columns))
        constant = np.array(layer.bias, dtype=np.float64)
        for source, weight in zip(layer.sources, layer.weights, strict=True):
            matrix = matrix + sp.csr_array(weight) @ sources[source][0]
            constant = constant + weight @ sources[source][1]
        if k == len(form.hidden):
            rows = sp.csr_array(question.condition.matrix) @ matrix
            least = question.condition.rhs - question.condition.matrix @ constant
            blocks.append((rows, least, np.full(least.size, inf)))
            break
        neurons = np.arange(ends[k] - layer.outputs, ends[k])
        kept = np.flatnonzero(used[neurons])
        here = ones(np.arange(kept.size), pre + at_pre[neurons[kept]], kept.size)
        blocks.append((sp.csr_array(matrix[kept] - here), -constant[kept], -constant[kept]))
        column = np.where(
            unstable[neurons], activation + at_unstable[neurons], pre + at_pre[neurons]
        )
        sources.append((ones(kept, column[kept], layer.outputs), np.zeros(layer.outputs)))

    count, which = each.size, np.flatnonzero(unstable)
    z = ones(each, pre + at_pre[which], count)
    h, a = (ones(each, start + each, count) for start in (activation, binary))
    least, most = bounds.lower[which], bounds.upper[which]
    nothing, zero = np.full(count, -inf), np.zeros(count)
    blocks += [
        (h - z, zero, np.full(count, inf)),
        (h - sp.diags_array(most) @ a, nothing, zero),
        (h - z - sp.diags_array(least) @ a, nothing, -least),
    ]
    program = Program(
        columns,
        np.concatenate([low, bounds.lower[used], zero, zero]),
        np.concatenate([high, bounds.upper[used], most, np.ones(count)]),
        np.arange(columns) >= binary,
        sp.csr_array(sp.vstack([rows for rows, _, _ in blocks], format="csr")),
        np.concatenate([lower for _, lower, _ in blocks]),
        np.concatenate([upper for _, _, upper in blocks]),
    )
    size = power_of_two(np.maximum(np.abs(bounds.lower), np.abs(bounds.upper)))
    units = np.concatenate([np.ones(first), size[used], size[unstable], np.ones(count)])
    return _Model(program, np.append(cost, np.zeros(columns - first)), change, units)


def scaled(program: Program, by: Array) -> Program:
    """The same with each column in units of ``by`` and each row's largest coefficient near 1.

    HiGHS's tolerances are absolute; a ReLU of what is small is small. Powers of two: exact.
    """
    matrix = sp.csr_array(program.matrix @ sp.diags_array(by))
    rows = 1.0 / power_of_two(np.abs(matrix).max(axis=1).toarray().reshape(-1))
    return replace(
        program,
        lower=program.lower / by,
        upper=program.upper / by,
        matrix=sp.csr_array(sp.diags_array(rows) @ matrix),
        row_lower=program.row_lower * rows,
        row_upper=program.row_upper * rows,
    )


def power_of_two(values: Array) -> Array:
    """The power of two just above each value; 1 for 0."""
    return np.asarray(np.ldexp(1.0, np.frexp(np.where(values > 0.0, values, 0.5))[1]))


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
    nothing = inf if incumbent is None and radius >= question.ball.whole_box else radius
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
