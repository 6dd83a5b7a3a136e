"""How small are the least patches, and how fast are they found? The patch benchmarks.

Each suite is a list of instances; each instance becomes one row, timeouts and failures too. A suite
that was stopped goes on where it ended, in the same command.

  python -m benchmarks.suites.patches --list
  python -m benchmarks.suites.patches --suite acas
  python -m benchmarks.suites.patches --suite layers --limit 4 --timeout 5    a first look
  python -m benchmarks.suites.patches --report            the tables of every suite
  python -m benchmarks.suites.patches --report --write    put them on their page

The data are found through MARAPATCH_DATA.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import inf
from time import monotonic

import numpy as np

from benchmarks.harness.command import (
    Suite,
    Suites,
    exit_with,
    main_of_several,
    parser_of_several,
)
from benchmarks.harness.rows import Row, finite, processor_seconds
from benchmarks.harness.subjects import images_of, network_of
from benchmarks.reports.patches import report
from benchmarks.suites.patch_instances import MNIST, Instance, goals_of, inputs_of
from benchmarks.suites.patch_instances import SUITES as INSTANCES
from marapatch.bounds.interval import interval_bounds
from marapatch.patching.api import check_goals, check_inputs, find_layer, minimal_patch
from marapatch.patching.formulation import PatchProblem, by_neuron, by_weight
from marapatch.patching.free_weights import free_weights
from marapatch.patching.goals import combinations
from marapatch.patching.options import PatchOptions
from marapatch.patching.patch import Patch
from marapatch.patching.report import drawdown, status
from marapatch.patching.verify_patch import PatchVerifier
from marapatch.problem.conditions import Rule
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question
from marapatch.query.lowering import lower
from marapatch.solvers import create
from marapatch.solvers.base import Candidate, Infeasible, Undecided

MARABOU_TOLERANCE = 3e-3
"""What Marabou's answers support on their own: an ``unsat`` at r counts for r (1 - 1e-3)."""
METHODS: Mapping[str, PatchOptions] = {
    "auto": PatchOptions(),
    "unmarked": PatchOptions(marks=False),
    "neurons": PatchOptions(engine="neurons"),
    "weights": PatchOptions(engine="weights"),
    "weights-unmarked": PatchOptions(engine="weights", marks=False),
    "marabou": PatchOptions(search="bisection", tolerance=MARABOU_TOLERANCE),
}
ASKED = 0.5
"""The radius of the query asked of Marabou by neuron and by weight, as a share of what is proved:
it is unsat, in both forms."""


def work(case: Instance) -> Row:
    """The row of one instance."""
    before = processor_seconds()
    row = engines_row(case) if case.method == "both" else patch_row(case)
    return {**asdict(case), **row, "cpu": processor_seconds() - before}


def patch_of(case: Instance, method: str) -> Patch:
    network, inputs = network_of(case.network), inputs_of(case.suite, case.network)
    inputs = inputs[list(case.rows)]
    return minimal_patch(
        network,
        inputs,
        goals_of(case, network, inputs),
        layer=case.layer,
        norm=case.norm,
        margin=case.margin,
        decision=case.decision,
        options=replace(METHODS[method], timeout=case.timeout),
    )


def patch_row(case: Instance) -> Row:
    """Find the patch, and what it does to other inputs where the suite has any."""
    patch = patch_of(case, case.method)
    row: Row = {
        "status": status(patch),
        "lower": finite(patch.lower),
        "upper": finite(patch.upper),
        "evidence": patch.evidence.value,
        "engine": patch.engine,
        "changed": patch.changed_weights,
        "l1": finite(patch.size_l1),
        "linf": finite(patch.size_linf),
        "confirmed": patch.confirmed,
        "queries": len(patch.queries),
        "variables": max((q.variables for q in patch.queries), default=0),
        "relus": max((q.relus for q in patch.queries), default=0),
        "nodes": patch.nodes,
        "seconds": patch.seconds,
        "note": patch.note,
    }
    if case.suite in ("watermark", "mnist") and patch.delta is not None and patch.upper > 0.0:
        images, labels = images_of(MNIST)
        scale = 255.0 if case.suite == "watermark" else 1.0
        effect = drawdown(patch.network, patch.apply(), scale * images, labels, Rule.ARGMAX)
        row |= {"before": effect.before, "after": effect.after, "decisions": effect.changed}
    if case.suite == "marks":
        question = formulated(case, "weights", marks=METHODS[case.method].marks)
        room = question.ball.upper - question.ball.lower
        row |= {
            "numbers": int(room.size),
            "fixed": int((room == 0.0).sum()),
            "halved": int(((question.ball.lower == 0.0) ^ (question.ball.upper == 0.0)).sum()),
        }
        if patch.upper < inf:
            row |= asdict(asked(question, patch.upper, 0.0))
    return row


def formulated(case: Instance, by: str, *, marks: bool = True) -> Question:
    """The question of an instance whose goals leave no choice, ``by`` neurons or weights."""
    network, rule = network_of(case.network), Rule(case.decision)
    given = check_inputs(network, inputs_of(case.suite, case.network)[list(case.rows)])
    goals = check_goals(
        goals_of(case, network, given.astype(np.float64)), len(given), network, rule, case.margin
    )
    what = free_weights(network, find_layer(network, case.layer))
    verifier = PatchVerifier(network, what, given, goals, Norm(case.norm))
    (clauses,) = combinations(goals)
    formulate = by_neuron if by == "neurons" else by_weight
    return formulate(PatchProblem.of(verifier), clauses, marks=marks).question


@dataclass(frozen=True)
class Asked:
    """One query without linear bounds: its size, and what Marabou said if it was asked."""

    query_variables: int
    query_equations: int
    query_inequalities: int
    query_relus: int
    answer: str
    answer_seconds: float


def asked(question: Question, radius: float, seconds: float) -> Asked:
    """The query within ``radius``, put to Marabou where ``seconds`` is above 0."""
    ball = question.ball.with_radius(radius)
    bounds = interval_bounds(question.form, ball)
    lowered = lower(question.form, bounds, ball, question.condition)
    query, relus = lowered.query, lowered.relus
    equations = sum(row.sense == "=" for row in query.rows)
    size = (len(query.names), equations, len(query.rows) - equations, relus)
    if seconds <= 0.0:
        return Asked(*size, "", 0.0)
    backend = create("marabou")
    started = monotonic()
    try:
        match backend.solve(query, seconds):
            case Infeasible():
                answer = "unsat"
            case Candidate():
                answer = "sat"
            case Undecided(reason=reason):
                answer = f"unknown: {reason}"
    finally:
        backend.close()
    return Asked(*size, answer, monotonic() - started)


def engines_row(case: Instance) -> Row:
    """The same question by neuron and by weight: both searches, and one query to Marabou."""
    row: Row = {}
    found = {by: patch_of(case, by) for by in ("neurons", "weights")}
    known = max(patch.lower for patch in found.values())
    for by, patch in found.items():
        row[by] = {
            "status": status(patch),
            "lower": finite(patch.lower),
            "upper": finite(patch.upper),
            "nodes": patch.nodes,
            "seconds": patch.seconds,
            "note": patch.note,
            **asdict(asked(formulated(case, by), ASKED * known, case.timeout)),
        }
    states = {patch.closed for patch in found.values()}
    row["status"] = "closed" if states == {True} else "open"
    row["radius"] = finite(ASKED * known)
    row["seconds"] = sum(patch.seconds for patch in found.values())
    return row


def _suite(name: str) -> Suite:
    about, cases = INSTANCES[name]
    return Suite(f"patches-{name}", about, cases, work, partial(report, name))


SUITES: Suites = {name: _suite(name) for name in INSTANCES}


def main() -> int:
    """Run the suites asked for, or print the tables."""
    return main_of_several(SUITES, parser_of_several(__doc__, SUITES).parse_args())


if __name__ == "__main__":
    exit_with(main)
