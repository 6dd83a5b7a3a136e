"""The least change for goals on probabilities: rounds of linear goals, each with more tangents.

A goal on probabilities implies linear rows, its tangents, so the lower end of a round's bracket is
one for the goal (:mod:`marapatch.patching.probabilities`). The change that a round finds meets the
tangents and, as a rule, the goal only nearly: it is enlarged until the goal itself is verified to
be met, or moved within a ball of its size, and there the next round has tangents. As with Newton's
method a few rounds do.

It is Kelley's cutting-plane method ("The cutting-plane method for solving convex programs", 1960)
with a global search in the place of the linear program: a row P_t >= p reads ``g(y) <= 0`` with g
convex in the scores y, and ``g(y_0) + g'(y_0) (y - y_0) <= g(y)`` for every y_0, so each round asks
less than the goal and its lower end is a lower end for the goal.
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

import numpy as np

from marapatch.network.layers import Array
from marapatch.patching.formulation import PatchProblem
from marapatch.patching.frank_wolfe import Leads
from marapatch.patching.goals import Goal
from marapatch.patching.layer_patch import LayerPatch
from marapatch.patching.options import PatchOptions
from marapatch.patching.patch import Patch, check_agreement
from marapatch.patching.solve import Listener
from marapatch.patching.verify_patch import PatchVerifier, VerifiedPatch

TANGENT_ROUNDS = 12
"""At most; three or four are usual."""

TIGHTER = 0.25
"""The tolerance of a round, relative to the one asked for."""

ENLARGED_BY = (0.0, 1e-8, 1e-7, 1e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 1e-2, 0.1, 0.3, 1.0)
"""By how much a round's change is enlarged, relatively, until it meets the goals."""


def least_change_by_tangents(
    verifier: PatchVerifier, options: PatchOptions, progress: Listener | None, started: float
) -> Patch:
    """As :func:`marapatch.patching.api.least_change`, where goals are on probabilities."""
    inputs, weights = verifier.inputs.astype(np.float64), verifier.weights
    # First tangents where the network is now: without any, the first round would ask nothing.
    outer = _touched(verifier.goals, verifier.network.evaluate(inputs))
    best = verifier.unchanged()
    rounds: list[Patch] = []
    leads: Leads | None = None
    for _ in range(TANGENT_ROUNDS):
        left = _remaining(options, monotonic() - started, sum(patch.nodes for patch in rounds))
        if rounds and left is None:  # one round is due whatever the limits: there is no answer yet
            break
        # A round's own gap adds to that between tangents and goal; both must fit in the tolerance.
        asked = replace(left or options, tolerance=TIGHTER * options.tolerance)
        # Without ``probabilities`` a goal is its tangents, and the round verifies these alone: its
        # upper end is none for the goal and is not used as one.
        linear = tuple(replace(goal, probabilities=()) for goal in outer)
        found = LayerPatch(replace(verifier, goals=linear), asked, progress).run()
        rounds.append(found)
        change = _numbers(found)
        if change is None or found.interrupted:
            break
        best = _better(verifier, change, best)
        if not _closed(rounds, best, options):
            # Of the changes of about this size that meet the tangents, the search took any.
            leads = leads or Leads.of(PatchProblem.of(verifier))
            change = leads.ascend(change, found.upper * (1.0 + TIGHTER * options.tolerance))
            best = _better(verifier, change, best)
        if _closed(rounds, best, options):
            break
        outer = _touched(outer, weights.apply(verifier.network, change).evaluate(inputs))
    return _patch(verifier, options, rounds, best, monotonic() - started)


def _closed(rounds: list[Patch], best: VerifiedPatch | None, options: PatchOptions) -> bool:
    lower = max(patch.lower for patch in rounds)
    return best is not None and best.size - lower <= options.tolerance * best.size


def _remaining(options: PatchOptions, seconds: float, nodes: int) -> PatchOptions | None:
    """``options`` with what is left of their limits; None where nothing is."""
    time = None if options.timeout is None else options.timeout - seconds
    count = None if options.nodes is None else options.nodes - nodes
    if (time is not None and time <= 0.0) or (count is not None and count <= 0):
        return None
    return replace(options, timeout=time, nodes=count)


def _touched(goals: tuple[Goal, ...], outputs: Array) -> tuple[Goal, ...]:
    """Goals on probabilities with tangents at ``outputs`` (n, outputs), each at its input's."""
    return tuple(
        goal.touched([y]) if goal.probabilities else goal
        for goal, y in zip(goals, outputs, strict=True)
    )


def _numbers(patch: Patch) -> Array | None:
    """The change of a patch as one vector."""
    parts = [part.reshape(-1) for part in (patch.delta, patch.delta_bias) if part is not None]
    return np.concatenate(parts) if parts else None


def _better(
    verifier: PatchVerifier, change: Array, best: VerifiedPatch | None
) -> VerifiedPatch | None:
    """The better of ``best`` and the first enlargement of ``change`` that meets the goals."""
    for share in ENLARGED_BY:
        verified = verifier((1.0 + share) * change)
        if verified is not None:
            return verified if best is None or verified.size < best.size else best
    return best


def _patch(
    verifier: PatchVerifier,
    options: PatchOptions,
    rounds: list[Patch],
    best: VerifiedPatch | None,
    seconds: float,
) -> Patch:
    """What the rounds amount to: the largest lower end, and the best change that was verified."""
    # Rounds only add tangents, but a later one may stop early: any round's lower end is valid.
    proved = max(rounds, key=lambda patch: patch.lower)
    upper = np.inf if best is None else best.size
    check_agreement(proved.layer, proved.lower, upper)
    weight, bias = (None, None) if best is None else verifier.weights.split(best.change)
    made = replace(
        rounds[-1],
        goals=verifier.goals,
        lower=proved.lower,
        upper=upper,
        evidence=proved.evidence,
        tolerance=options.tolerance,
        delta=weight,
        delta_bias=bias,
        margins=None if best is None else best.margins,
        outputs=None if best is None else best.outputs,
        confirmed=None if best is None else best.confirmed,
        impossible=proved.impossible if proved.lower == np.inf else (),
        queries=tuple(query for patch in rounds for query in patch.queries),
        nodes=sum(patch.nodes for patch in rounds),
        seconds=seconds,
    )
    if made.already:
        return replace(made, note="the network meets every goal as it is")
    if made.closed and not made.infeasible:
        return replace(made, note="")
    note = rounds[-1].note or "tangents do not close the bracket in so many rounds"
    return replace(made, note=note)
