"""What an ``unsat`` supports: the less the less its engine is trusted."""

from __future__ import annotations

import pytest
from scripted_solver import (
    ASKERS,
    NO_BOUNDS,
    OPTIMUM,
    TIMEOUT,
    TOLERANCE,
    UNSAT,
    Scripted,
    Untrusted,
    bent_question,
    in_turn,
    run,
    witness_at,
)

from marapatch.problem.bracket import Bracket
from marapatch.problem.question import Question
from marapatch.problem.verdict import Evidence
from marapatch.query.lowering import SHRINKAGE
from marapatch.search.bisection import bisection
from marapatch.search.descent import descent
from marapatch.search.options import Search
from marapatch.solvers.base import UNCONFIRMED_SHRINKAGE


@pytest.fixture
def question() -> Question:
    return bent_question()


@pytest.mark.parametrize("search", ASKERS.values(), ids=ASKERS)
def test_an_unsat_is_claimed_with_kappa_taken_off(search: Search, question: Question) -> None:
    start = Bracket(0.0, Evidence.BOUND, witness_at(question, 0.4, 0.0))
    outcome, watch = run(search, question, Scripted(UNSAT), start)
    asked_at = [q.radius for q in outcome.queries if q.backend == "scripted"]
    for bracket, query in zip(watch.brackets, outcome.queries, strict=True):
        if query.backend == "scripted":
            assert bracket.lower == query.radius * (1.0 - SHRINKAGE)
            assert bracket.evidence is Evidence.SOLVER
    assert asked_at
    assert outcome.bracket.upper - outcome.bracket.lower <= TOLERANCE
    assert not outcome.note


def test_an_untrusted_unsat_that_highs_refutes_is_not_believed(question: Question) -> None:
    """Within 0.4 there is a witness at 0.2: the second engine finds it."""
    start = Bracket(0.0, Evidence.BOUND, witness_at(question, 0.4, 0.0))
    lie = Untrusted(UNSAT)
    outcome, _ = run(descent, question, lie, start, NO_BOUNDS)
    assert "neither is believed" in outcome.queries[0].verdict
    assert outcome.bracket.lower <= OPTIMUM


def test_an_untrusted_unsat_alone_claims_less(question: Question) -> None:
    start = Bracket(0.0, Evidence.BOUND, witness_at(question, 0.4, 0.0))
    backend = Untrusted(in_turn(UNSAT, TIMEOUT))
    outcome, watch = run(bisection, question, backend, start, NO_BOUNDS)
    assert outcome.queries[0].radius == 0.2
    assert watch.brackets[0].lower == 0.2 * (1.0 - UNCONFIRMED_SHRINKAGE)
    box, _ = run(bisection, question, Untrusted(UNSAT), options=NO_BOUNDS)
    assert box.bracket.lower == pytest.approx(1.0 - UNCONFIRMED_SHRINKAGE)
