"""No ReLU behind the change: the least patch is a linear program, solved exactly.

HiGHS proposes the change and the dual values of the rows; the change is replayed and the dual
values are turned into a lower bound of our own, rounded outward: for any ``lambda >= 0`` the rows
``A E >= b`` imply ``(lambda A) E >= lambda b``, so that ``|E| >= lambda b / |lambda A|_dual``.
However wrong the dual values are, that holds; good ones make it tight.

Shapes: V entries of the change E, R rows; ``matrix`` (R, V), ``rhs``, ``scales``, dual values (R,).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from time import monotonic

import numpy as np
import scipy.sparse as sp

from marapatch.arithmetic.float_model import SMALL, gamma
from marapatch.bounds.backward import BackwardPass
from marapatch.bounds.concretise import concretiser_of
from marapatch.network.layers import Array
from marapatch.problem.bracket import Bracket
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question
from marapatch.problem.verdict import Evidence, Sat, Unsat
from marapatch.search.options import LONGEST_QUERY, Outcome, QueryRecord, Report, SearchOptions
from marapatch.solvers.highs.backend import minimise_program
from marapatch.solvers.highs.milp import Program
from marapatch.witnesses.linear_region import Nearest, Region, SlackProgram, nearest_in_region
from marapatch.witnesses.polish import confirm

SLACK_NEWTON_STEPS = 60
"""Newton steps on the slack, at most; a handful is usual."""

CONFIRM_SECONDS = 60.0
"""For HiGHS to confirm that a program has no solution."""

WIDER = 1.0 + 1e-6
"""The radius, relative to the program's optimum, over which the dual values are turned into a
bound."""


@dataclass(frozen=True, eq=False)
class _Found:
    """``nearest``: the optimum, None where none was found; ``dual_value``, ``radius``: what
    refutes smaller changes, up to about ``radius``."""

    nearest: Nearest | None
    dual_value: Array
    radius: float


def last_layer(
    question: Question, start: Bracket, options: SearchOptions, report: Report
) -> Outcome:
    """Tighten ``start`` by one linear program (L-infinity: by a few, with the radius in Newton's
    steps). ``question.form`` must have no ReLU.

    Evidence: ``bound``, except where the program is infeasible and the dual values alone do not
    prove it; then HiGHS is trusted (``solver``).
    """
    started = monotonic()
    here = _rows(question)
    found = (
        _least_l1(question, here) if question.ball.norm is Norm.L1 else _least_linf(question, here)
    )
    bracket = start
    # The program's rows are divided by their scales, so its dual values are those of scaled rows.
    refuted = refuted_radius(question, found.dual_value / here.scales, found.radius)
    if refuted > bracket.lower:
        bracket = bracket.tighten(Unsat(refuted, Evidence.BOUND))
    if found.nearest is not None:
        witness = confirm(question, here, found.nearest)
        if witness is not None:
            bracket = bracket.tighten(Sat(witness))
    elif (
        bracket.lower < inf
        and options.evidence is Evidence.SOLVER
        and _none(question, here, LONGEST_QUERY if options.counted else CONFIRM_SECONDS)
    ):
        bracket = bracket.tighten(Unsat(inf, Evidence.SOLVER))
    # JSON has no infinity, so the record of a query says the largest number instead.
    verdict = "unsat" if bracket.lower == inf else ("sat" if bracket.witness else "unknown: replay")
    rows, columns = here.matrix.shape
    radius = min(bracket.upper, np.finfo(np.float64).max)
    record = QueryRecord(radius, verdict, monotonic() - started, columns, rows, 0, "highs")
    report(bracket, 1)
    closed = options.closed(bracket)
    note = "" if closed else "the optimum of the linear program does not close the bracket"
    return Outcome(bracket, (record,), note=note)


def _rows(question: Question) -> Region:
    """The condition as rows over the change: the only region there is."""
    output, condition = question.form.output, question.condition
    (weight,) = output.weights
    product = condition.matrix @ (weight.toarray() if sp.issparse(weight) else weight)
    rhs = condition.rhs - condition.matrix @ (output.bias + weight @ question.ball.centre)
    rows = tuple((-1, i) for i in range(rhs.size))
    return Region(np.asarray(product), np.asarray(rhs), rows)


def _least_l1(question: Question, here: Region) -> _Found:
    nearest = nearest_in_region(question, here, inf)
    if nearest is None:
        return _infeasible(question, here)
    return _Found(nearest, nearest.dual_value, nearest.distance)


def _none(question: Question, here: Region, seconds: float) -> bool:
    """Whether HiGHS says, in so many words, that the rows have no solution in the box."""
    rows, size = here.matrix.shape
    program = Program(
        size,
        question.ball.lower,
        question.ball.upper,
        np.zeros(size, dtype=bool),
        sp.csr_array(here.matrix / here.scales[:, None]),
        here.rhs / here.scales,
        np.full(rows, inf),
    )
    return minimise_program(program, np.zeros(size), seconds).infeasible


def _infeasible(question: Question, here: Region) -> _Found:
    """The dual values that refute the whole box, where it is finite."""
    whole = question.ball.covering_radius
    if whole == inf:
        return _Found(None, np.zeros(here.rhs.size), 0.0)
    slack = SlackProgram(question, here).at(whole)
    dual_value = np.zeros(here.rhs.size) if slack is None else slack.dual_value
    return _Found(None, dual_value, whole)


def _least_linf(question: Question, here: Region) -> _Found:
    """Newton on the slack, concave in the radius: from below it never passes the least one."""
    displacement_bounds = question.ball.with_radius(inf).displacement_bounds
    down, up = displacement_bounds
    open_to = np.where(here.matrix > 0.0, up > 0.0, down > 0.0)
    # Each row by itself needs |E|_inf >= rhs / (dual norm over the directions that are open); the
    # largest of these is where Newton starts: never beyond the least radius.
    dual = (np.abs(here.matrix) * open_to).sum(axis=1)
    needed = here.rhs > 0.0
    if not needed.any():
        return _Found(
            Nearest(0.0, np.zeros(here.matrix.shape[1]), np.zeros(here.rhs.size)),
            np.zeros(here.rhs.size),
            0.0,
        )
    if (dual[needed] == 0.0).any():
        return _infeasible(question, here)
    radius = float((here.rhs[needed] / dual[needed]).max())
    program = SlackProgram(question, here)
    dual_value, whole = np.zeros(here.rhs.size), question.ball.covering_radius
    for _ in range(SLACK_NEWTON_STEPS):
        found = program.at(radius) if radius <= whole else None
        if found is None:
            return _infeasible(question, here)
        dual_value = found.dual_value
        # The slack is concave in the radius: once it no longer grows below 0, it never reaches 0.
        if found.slack < 0.0 and found.slope <= 0.0:
            return _infeasible(question, here)
        step = max(-found.slack / found.slope, 0.0) if found.slope > 0.0 else 0.0
        if step <= 1e-13 * radius:
            return _Found(Nearest(radius, found.change, dual_value), dual_value, radius)
        radius += step
    return _Found(None, dual_value, radius)


def refuted_radius(question: Question, dual_value: Array, about: float) -> float:
    """The radius up to which ``lambda . (condition) < 0`` is proved: our own rounded bound.

    Infinite where that is the whole box. ``about``: where the root is expected.
    """
    total = float(dual_value.sum())
    if not total > 0.0 or not about > 0.0:
        return 0.0
    # Normalised to sum 1: only their direction matters to the root, and errors stay comparable.
    row_multipliers = dual_value / total
    whole = question.ball.covering_radius
    ball = question.ball.with_radius(min(about * WIDER, whole))
    low, high = ball.enclosing_box
    # Over a ball a little wider than the root's: the error terms of the sums grow with the
    # magnitudes, and hold as far as this ball reaches and no farther.
    passes = BackwardPass(question.form, [np.maximum(np.abs(low), np.abs(high))])
    started = passes.start(
        question.form.output, -(row_multipliers @ question.condition.matrix)[None, None]
    )
    result = passes.run(started, 0, [])
    lead = float(row_multipliers @ question.condition.rhs)
    size = float(row_multipliers @ np.abs(question.condition.rhs))
    # The multipliers' own sums round, too; what they lose is multiplied by the outputs.
    most, _ = question.form.output.magnitude(passes.sizes)
    size += float(row_multipliers @ np.abs(question.condition.matrix) @ most)
    lost = gamma(row_multipliers.size + 8) * size + SMALL * (2.0 + float(most.sum()))
    # -(lambda C) y + lambda rhs > 0 refutes: everything uncertain is subtracted, so the radius up
    # to which it stays above 0 is rounded down.
    constant = result.constant[0] - result.error[0] + lead - lost
    proved = float(concretiser_of(ball).radius_of(result.weights[0], constant)[0])
    plain = _plain_radius(question, result.weights[0, 0], float(constant[0]))
    # ``constant`` has the errors of this ball in it; farther out they are larger.
    proved = max(proved, min(plain, ball.radius))
    return inf if proved >= whole else proved  # the whole box is refuted: there is no patch


def _plain_radius(question: Question, a: Array, c: float) -> float:
    """``c`` over the dual norm of ``a`` on the directions in which entries may move, rounded down:
    up to it ``a . E + c > 0``, whatever limits single entries."""
    down, up = question.ball.with_radius(inf).displacement_bounds
    gain = np.where(a > 0.0, np.where(down > 0.0, a, 0.0), np.where(up > 0.0, -a, 0.0))
    dual = float(question.ball.norm.dual(gain))
    if c <= 0.0 or dual <= 0.0:
        return 0.0
    return max(float(c / dual * (1.0 - gamma(gain.size + 4))) - SMALL, 0.0)
