"""The patch that changes the fewest numbers, none of them by more than a limit.

Lower ends: k changes of at most A each sum to at most k A, so k >= (least L1 patch within A) / A;
for the last layer also the dual bound of a mixed-integer program, which is exact. Upper ends are
patches, verified like any other. Letters: :mod:`marapatch.patching.formulation`.
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
from marapatch.patching.formulation import PatchProblem, by_weight
from marapatch.patching.free_weights import free_weights
from marapatch.patching.goals import combinations
from marapatch.patching.options import DEFAULT_MARGIN, PatchOptions
from marapatch.patching.patch import Patch, check_agreement
from marapatch.patching.solve import Listener
from marapatch.patching.verify_patch import PatchVerifier
from marapatch.problem.conditions import Rule
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question
from marapatch.problem.verdict import Evidence
from marapatch.search.budget import Limit
from marapatch.witnesses.fewest_entries import fewest_entries

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
        raise InputError(
            "norm l0 needs a largest change: without one, one number often does; "
            "give max_change (--max-change)"
        )
    options = options or PatchOptions()
    started = monotonic() if started is None else started
    given = check_inputs(network, inputs)
    goals = check_goals(goal, given.shape[0], network, Rule.of(decision), margin)
    if any(each.probabilities for each in goals):
        raise InputError(
            "the fewest changes for a goal on probabilities cannot be searched for; choose the "
            "norm linf or l1, or a goal on classes"
        )
    found = find_layer(network, layer)
    weights = free_weights(network, found, bias=bias, max_change=max_change, mask=mask)
    seconds = inf if options.timeout is None else options.timeout
    first = replace(
        options,
        timeout=None if seconds == inf else 0.5 * seconds,
        nodes=None if options.nodes is None else max(1, options.nodes // 2),
    )
    verifier = PatchVerifier(network, weights, given, goals, Norm.L1)
    # The least L1 patch serves both ends: its lower end bounds the count from below, and its few
    # entries are the first patch known.
    least = least_change(verifier, first, progress, started)
    if least.already or least.infeasible:
        return replace(least, norm="l0")
    # k changes of at most A sum to at most k A, so k >= lower / A; the quotient is rounded down
    # first: a ceiling of 2 + 1e-16 would claim 3.
    lower, evidence = float(ceil(least.lower / max_change * (1.0 - 1e-12))), least.evidence
    if least.interrupted:
        return _counted(least, lower, "interrupted")
    best = least
    # A program of counts is exact where the goals are linear rows over the change: no ReLU follows,
    # and there is one conjunction to be met.
    behind = tail(network, found.number)
    clauses = combinations(goals)
    if not behind.hidden and len(clauses) == 1 and all(clause.plain for clause in clauses[0]):
        # Marks keep the least count too, as they keep both norms: an entry moved back to 0 is a
        # change less.
        formulated = by_weight(PatchProblem.of(verifier), clauses[0])
        left = max(started + seconds - monotonic(), 1.0) if seconds < inf else 1e6
        bound, support = min_l0(formulated.question, 0.5 * left if seconds < inf else left)
        # Where the solver says no more than the L1 bound does, the better evidence stays.
        if bound > lower:
            lower, evidence = bound, Evidence.SOLVER
        if support is not None:
            spread = formulated.replays.spread(support.astype(np.float64)) != 0.0
            best = _better(verifier, spread, options, best)
    best = _fewer(verifier, options, best, lower, started + seconds)
    patch = replace(best, evidence=evidence, queries=least.queries, seconds=monotonic() - started)
    closed = best.delta is not None and best.changed_weights == lower
    return _counted(patch, lower, "" if closed else "fewer changes are neither found nor refuted")


def _counted(patch: Patch, lower: float, note: str) -> Patch:
    """``patch`` with its number of changes as upper end, and ``lower``, a number too."""
    count = inf if patch.delta is None else float(patch.changed_weights)
    check_agreement(patch.layer, lower, count)
    return replace(patch, norm="l0", lower=lower, upper=count, note=note)


def min_l0(question: Question, seconds: float) -> tuple[float, NDArray[np.bool_] | None]:
    """A lower bound on the number of entries that any change needs, and entries that will do.

    Trusts HiGHS (its dual bound). The box of ``question`` must be finite, its form linear.
    """
    (weight,) = question.form.output.weights
    rows = sp.csr_array(question.condition.matrix) @ sp.csr_array(weight)
    rhs = question.condition.rhs - question.condition.matrix @ question.form.output.bias
    # The largest coefficient of a row becomes 1, so that HiGHS' tolerances mean the same in each.
    # The errors that the form carries are left out here, and so this is the word of a solver.
    scale = np.maximum(abs(rows).max(axis=1).toarray().reshape(-1), 1e-12)
    lower, upper = question.ball.lower, question.ball.upper
    scaled = sp.diags_array(1.0 / scale) @ rows
    optimum = fewest_entries(scaled, rhs / scale, lower, upper, seconds)
    # A count is whole, so a bound of 2.1 says 3; one of 2.0000003 may only say 2 (tolerances).
    bound = ceil(optimum.bound - WHOLE) if np.isfinite(optimum.bound) else 0
    if optimum.assignment is None:
        return float(max(bound, 0)), None
    return float(max(bound, 0)), optimum.assignment[question.form.inputs :] > 0.5


def _better(
    verifier: PatchVerifier,
    support: NDArray[np.bool_],
    options: PatchOptions,
    best: Patch,
) -> Patch:
    """The least patch on ``support`` alone, where there is one with fewer changes than ``best``;
    its ``nodes`` are those of all attempts."""
    weights = verifier.weights
    restricted = replace(
        weights,
        lower=np.where(support, weights.lower, 0.0),
        upper=np.where(support, weights.upper, 0.0),
    )
    if not restricted.free.any():
        return best
    # Any patch on these numbers will do, whatever its size: a tolerance of one half ends its search
    # early. In L-infinity a limit on single numbers still allows the question by neuron
    # (formulation.py).
    if options.nodes is None:
        seconds = min(FEWER_SECONDS, options.timeout or FEWER_SECONDS)
        quick = replace(options, timeout=seconds, tolerance=0.5)
    else:
        quick = replace(options, nodes=min(FEWER_NODES, options.nodes), tolerance=0.5)
    found = least_change(replace(verifier, weights=restricted, norm=Norm.LINF), quick)
    nodes = best.nodes + found.nodes
    if found.delta is None or (
        best.delta is not None and found.changed_weights >= best.changed_weights
    ):
        return replace(best, nodes=nodes)
    # That tolerance was of the attempt; the answer is judged by the one that was asked for.
    return replace(found, tolerance=options.tolerance, nodes=nodes)


def _fewer(
    verifier: PatchVerifier,
    options: PatchOptions,
    best: Patch,
    lower: float,
    deadline: float,
) -> Patch:
    """Try the largest entries of ``best`` alone, fewer and fewer of them, by bisection."""
    if best.delta is None:
        return best
    numbers = [best.delta.reshape(-1)]
    numbers += [
        np.zeros(verifier.weights.bias.size) if best.delta_bias is None else best.delta_bias
    ]
    size = np.abs(np.concatenate(numbers))
    # That large changes matter most is a guess: it decides what is tried, and nothing that is
    # claimed.
    order = np.argsort(-size, kind="stable")
    low, high = max(int(lower), 1), best.changed_weights
    limit = Limit(deadline, inf if options.nodes is None else options.nodes)
    while low < high and not limit.over(best.nodes):
        middle = (low + high) // 2
        support = np.zeros(size.size, dtype=bool)
        support[order[:middle]] = True
        found = _better(verifier, support, options, best)
        # A failure shows nothing about other numbers of that count, so it steers the bisection and
        # leaves ``lower`` alone.
        if found.changed_weights >= best.changed_weights:
            low = middle + 1
        else:
            high = min(middle, found.changed_weights)
        best = found
    return best
