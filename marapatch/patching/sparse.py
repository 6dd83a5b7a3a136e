"""The patch that changes the fewest numbers, none of them by more than a limit.

Lower ends: k changes of at most A each sum to at most k A, so k >= (least L1 patch within A) / A;
for the last layer also the dual bound of a mixed-integer program, which is exact. Upper ends are
patches, judged like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, inf
from time import monotonic

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from marapatch.errors import InputError
from marapatch.network.cut import tail
from marapatch.network.graph import Network
from marapatch.patching.api import (
    GoalLike,
    check_goals,
    check_inputs,
    find_layer,
    least_change,
)
from marapatch.patching.changes import Changes, changes, sources
from marapatch.patching.formulation import by_weight
from marapatch.patching.goals import Goal, combinations
from marapatch.patching.options import DEFAULT_MARGIN, PatchOptions
from marapatch.patching.patch import Patch
from marapatch.patching.solve import Listener
from marapatch.patching.verify_patch import PatchVerifier
from marapatch.problem.conditions import Rule
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question
from marapatch.problem.verdict import Evidence
from marapatch.search.budget import Limit
from marapatch.solvers.highs.backend import minimise_program
from marapatch.solvers.highs.milp import Program

WHOLE = 1e-6
"""By this much a dual bound may lie above a whole number and still count as that number."""

FEWER_SECONDS = 5.0
FEWER_NODES = 20
"""For one attempt to do with fewer numbers; sub-problems where these are limited."""


def sparse_patch(
    network: Network,
    inputs: ArrayLike,
    goal: GoalLike | Sequence[GoalLike],
    *,
    layer: int | str = "last",
    bias: bool = False,
    margin: float = DEFAULT_MARGIN,
    decision: str | Rule = Rule.ARGMAX,
    max_change: float | None = None,
    mask: ArrayLike | None = None,
    options: PatchOptions | None = None,
    progress: Listener | None = None,
    started: float | None = None,
) -> Patch:
    """The fewest numbers of one layer to change, each by at most ``max_change``: a bracket.

    Arguments and errors as for :func:`marapatch.patching.api.minimal_patch`; ``max_change``
    must be given. ``lower`` and ``upper`` of the result are counts. Exact where no ReLU follows
    the layer and the goals leave no choice (evidence ``solver``, or ``bound`` where the L1 bound
    reaches it); elsewhere an honest bracket.
    """
    if max_change is None:
        raise InputError("norm l0 needs a largest change: without one, one number often does")
    options = options or PatchOptions()
    started = monotonic() if started is None else started
    given = check_inputs(network, inputs)
    goals = check_goals(goal, given.shape[0], network, Rule(decision), margin)
    if any(each.probabilities for each in goals):
        raise InputError(
            "the fewest changes for a goal on probabilities cannot be searched for; choose the "
            "norm linf or l1, or a goal on classes"
        )
    found = find_layer(network, layer)
    what = changes(network, found, bias=bias, max_change=max_change, mask=mask)
    seconds = inf if options.timeout is None else options.timeout
    first = replace(
        options,
        timeout=None if seconds == inf else 0.5 * seconds,
        nodes=None if options.nodes is None else max(1, options.nodes // 2),
    )
    least = least_change(network, what, given, goals, Norm.L1, first, progress, started)
    if least.already or least.infeasible or least.interrupted:
        return replace(least, norm="l0")
    lower, evidence = float(ceil(least.lower / max_change * (1.0 - 1e-12))), least.evidence
    best = least
    linear = not tail(network, found.number).hidden
    clauses = combinations(goals)
    if linear and len(clauses) == 1 and all(clause.plain for clause in clauses[0]):
        verifier = PatchVerifier(network, what, given, goals, Norm.L1)
        entering = sources(network, found, given.astype(np.float64))
        formulated = by_weight(verifier, entering, tail(network, found.number), clauses[0])
        left = max(started + seconds - monotonic(), 1.0) if seconds < inf else 1e6
        bound, support = min_l0(formulated.question, 0.5 * left if seconds < inf else left)
        if bound > lower:
            lower, evidence = bound, Evidence.SOLVER
        if support is not None:
            spread = formulated.replays.spread(support.astype(np.float64)) != 0.0
            best = _better(network, what, given, goals, spread, options, best)
    best = _fewer(network, what, given, goals, options, best, lower, started + seconds)
    count = float(best.changed_weights) if best.delta is not None else inf
    note = "" if count == lower else "fewer changes are neither found nor refuted"
    return replace(
        best,
        norm="l0",
        lower=min(lower, count),
        upper=count,
        evidence=evidence,
        queries=least.queries,
        nodes=best.nodes,
        seconds=monotonic() - started,
        note=note,
    )


def min_l0(question: Question, seconds: float) -> tuple[float, NDArray[np.bool_] | None]:
    """A lower bound on the number of entries that any change needs, and entries that will do.

    The mixed-integer program: ``rows E >= rhs, lower b <= E <= upper b, b binary``, sum of b
    least. Trusts HiGHS (its dual bound). The box of ``question`` must be finite, its form linear.
    """
    (weight,) = question.form.output.weights
    rows = sp.csr_array(question.condition.matrix) @ sp.csr_array(weight)
    rhs = question.condition.rhs - question.condition.matrix @ question.form.output.bias
    size = question.form.inputs
    scale = np.maximum(abs(rows).max(axis=1).toarray().reshape(-1), 1e-12)
    eye = sp.eye_array(size)
    lower, upper = question.ball.lower, question.ball.upper
    matrix = sp.csr_array(
        sp.vstack(
            [
                sp.hstack([sp.diags_array(1.0 / scale) @ rows, sp.csr_array(rows.shape)]),
                sp.hstack([eye, -sp.diags_array(upper)]),
                sp.hstack([eye, -sp.diags_array(lower)]),
            ]
        )
    )
    program = Program(
        variables=2 * size,
        lower=np.concatenate([lower, np.zeros(size)]),
        upper=np.concatenate([upper, np.ones(size)]),
        integer=np.repeat([False, True], size),
        matrix=matrix,
        row_lower=np.concatenate([rhs / scale, np.full(size, -inf), np.zeros(size)]),
        row_upper=np.concatenate([np.full(rhs.size, inf), np.zeros(size), np.full(size, inf)]),
    )
    costs = np.repeat([0.0, 1.0], size)
    optimum = minimise_program(program, costs, seconds)
    bound = ceil(optimum.bound - WHOLE) if np.isfinite(optimum.bound) else 0
    if optimum.assignment is None:
        return float(max(bound, 0)), None
    return float(max(bound, 0)), optimum.assignment[size:] > 0.5


def _better(
    network: Network,
    what: Changes,
    inputs: NDArray[np.floating],
    goals: tuple[Goal, ...],
    support: NDArray[np.bool_],
    options: PatchOptions,
    best: Patch,
) -> Patch:
    """The least patch on ``support`` alone, where there is one with fewer changes than ``best``;
    its ``nodes`` are those of all attempts."""
    room = replace(
        what, lower=np.where(support, what.lower, 0.0), upper=np.where(support, what.upper, 0.0)
    )
    if not room.free.any():
        return best
    if options.nodes is None:
        seconds = min(FEWER_SECONDS, options.timeout or FEWER_SECONDS)
        quick = replace(options, timeout=seconds, tolerance=0.5)
    else:
        quick = replace(options, nodes=min(FEWER_NODES, options.nodes), tolerance=0.5)
    found = least_change(network, room, inputs, goals, Norm.LINF, quick)
    nodes = best.nodes + found.nodes
    if found.delta is None or (
        best.delta is not None and found.changed_weights >= best.changed_weights
    ):
        return replace(best, nodes=nodes)
    return replace(found, tolerance=options.tolerance, nodes=nodes)


def _fewer(
    network: Network,
    what: Changes,
    inputs: NDArray[np.floating],
    goals: tuple[Goal, ...],
    options: PatchOptions,
    best: Patch,
    lower: float,
    deadline: float,
) -> Patch:
    """Try the largest entries of ``best`` alone, fewer and fewer of them, by bisection."""
    if best.delta is None:
        return best
    numbers = [best.delta.reshape(-1)]
    numbers += [np.zeros(what.bias.size) if best.delta_bias is None else best.delta_bias]
    size = np.abs(np.concatenate(numbers))
    order = np.argsort(-size, kind="stable")
    low, high = max(int(lower), 1), best.changed_weights
    limit = Limit(deadline, inf if options.nodes is None else options.nodes)
    while low < high and not limit.over(best.nodes):
        middle = (low + high) // 2
        support = np.zeros(size.size, dtype=bool)
        support[order[:middle]] = True
        found = _better(network, what, inputs, goals, support, options, best)
        if found.changed_weights >= best.changed_weights:
            low = middle + 1
        else:
            high = min(middle, found.changed_weights)
        best = found
    return best
