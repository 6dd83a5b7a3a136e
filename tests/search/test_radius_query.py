"""One question at several radii, put to a solver that may time out, lie or contradict."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from scripted_solver import (
    ASKERS,
    NO_BOUNDS,
    OPTIMUM,
    TIMEOUT,
    TOLERANCE,
    UNSAT,
    Script,
    Scripted,
    honest,
    in_turn,
    run,
    says,
    witness_at,
)

from marapatch.errors import ContradictionError
from marapatch.problem.ball import Ball
from marapatch.problem.bracket import Bracket
from marapatch.problem.question import Question
from marapatch.problem.verdict import Evidence
from marapatch.query.lowering import Lowered
from marapatch.query.query import Query
from marapatch.search import SEARCHES
from marapatch.search import radius_query as asking
from marapatch.search.bisection import bisection
from marapatch.search.options import Search, SearchOptions
from marapatch.solvers.base import Answer, Candidate, Undecided


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Ball, Lowered]]:
    """Every query that was lowered, with its ball, in order."""
    record: list[tuple[Ball, Lowered]] = []
    lower = asking.lower

    def spy(form, bounds, ball, *rest):  # type: ignore[no-untyped-def]  # passes everything on
        record.append((ball, lower(form, bounds, ball, *rest)))
        return record[-1][1]

    monkeypatch.setattr(asking, "lower", spy)
    return record


def claiming(point: tuple[float, ...], asked: list[tuple[Ball, Lowered]]) -> Script:
    """Says ``sat`` with an assignment that decodes to ``point``, wherever that lies."""

    def script(query: Query, timeout: float) -> Answer:
        ball, lowered = asked[-1]
        assert lowered.query is query
        values = np.zeros(len(query.names))
        values[:2] = (np.array(point) - ball.centre) / ball.radius
        np.testing.assert_allclose(lowered.decode(values), point, atol=1e-12)
        return Candidate(values)

    return script


@pytest.mark.parametrize("search", ASKERS.values(), ids=ASKERS)
@pytest.mark.parametrize("reason", ["timeout", "Marabou died", "out of memory"])
def test_what_is_unknown_moves_nothing(search: Search, reason: str, question: Question) -> None:
    for start in (Bracket(), Bracket(0.18, Evidence.BOUND, witness_at(question, 0.4, 0.0))):
        backend = Scripted(says(Undecided(reason)))
        outcome, _ = run(search, question, backend, start, SearchOptions(TOLERANCE, bounds=False))
        assert outcome.bracket == start
        assert outcome.note
        assert outcome.queries
        for query in outcome.queries:
            assert query.verdict == f"unknown: {reason}"


@pytest.mark.parametrize("search", ASKERS.values(), ids=ASKERS)
def test_a_lie_that_does_not_replay_is_asked_again_and_then_unknown(
    search: Search, question: Question, asked: list[tuple[Ball, Lowered]]
) -> None:
    start = Bracket(0.1, Evidence.BOUND, witness_at(question, 0.4, 0.0))
    backend = Scripted(claiming((-0.01, 0.01), asked))
    outcome, _ = run(search, question, backend, start, NO_BOUNDS)
    assert outcome.bracket == start
    assert len(backend.calls) == 2 * len(outcome.queries)
    assert all("did not change the decision" in q.verdict for q in outcome.queries)


@pytest.mark.parametrize("search", ASKERS.values(), ids=ASKERS)
def test_unsat_to_the_insisting_question_proves_nothing(
    search: Search, question: Question, asked: list[tuple[Ball, Lowered]]
) -> None:
    start = Bracket(0.1, Evidence.BOUND, witness_at(question, 0.4, 0.0))
    lie = claiming((-0.01, 0.01), asked)
    turns = [lie, UNSAT] * 50
    outcome, _ = run(search, question, Scripted(in_turn(*turns)), start, NO_BOUNDS)
    assert outcome.bracket == start


@pytest.mark.parametrize("search", ASKERS.values(), ids=ASKERS)
@pytest.mark.parametrize("bad", [np.nan, inf])
def test_an_assignment_that_is_no_number_is_no_witness(
    search: Search, question: Question, bad: float
) -> None:
    start = Bracket(0.1, Evidence.BOUND, witness_at(question, 0.4, 0.0))
    backend = Scripted(lambda query, _: Candidate(np.full(len(query.names), bad)))
    outcome, _ = run(search, question, backend, start, NO_BOUNDS)
    assert outcome.bracket == start


@pytest.mark.parametrize("search", ASKERS.values(), ids=ASKERS)
def test_a_claim_beyond_the_radius_counts_for_what_it_is_and_the_search_ends(
    search: Search, question: Question, asked: list[tuple[Ball, Lowered]]
) -> None:
    """The claim replays, but it is no nearer than what is known: it must not be asked for ever."""
    start = Bracket(0.0, Evidence.BOUND, witness_at(question, 0.4, 0.0))
    options = SearchOptions(TOLERANCE, nodes=2000, bounds=False)
    backend = Scripted(claiming((0.9, 0.0), asked))
    outcome, _ = run(search, question, backend, start, options)
    assert outcome.bracket.lower == 0.0
    assert OPTIMUM <= outcome.bracket.upper <= 0.4
    without, _ = run(bisection, question, Scripted(claiming((0.9, 0.0), asked)), options=options)
    assert without.bracket.lower == 0.0
    assert without.bracket.upper <= 0.9


@pytest.mark.parametrize("search", ASKERS.values(), ids=ASKERS)
def test_a_witness_below_a_claimed_proof_is_a_contradiction(
    search: Search, question: Question, asked: list[tuple[Ball, Lowered]]
) -> None:
    start = Bracket(0.0, Evidence.BOUND, witness_at(question, 0.9, 0.0))
    lie_then_truth = in_turn(TIMEOUT, UNSAT, claiming((0.21, -0.21), asked))
    backend = Scripted(lie_then_truth)
    options = SearchOptions(1e-6, nodes=2000, bounds=False)
    with pytest.raises(ContradictionError, match="nothing is nearer"):
        run(search, question, backend, start, options)


@pytest.mark.parametrize("search", ASKERS.values(), ids=ASKERS)
@pytest.mark.parametrize("bounds", [True, False])
def test_unsat_over_the_whole_box_means_that_there_is_none(
    search: Search, question: Question, bounds: bool
) -> None:
    options = SearchOptions(TOLERANCE, nodes=2000, bounds=bounds)
    outcome, _ = run(search, question, Scripted(UNSAT), options=options)
    assert outcome.bracket.lower == inf
    assert outcome.bracket.evidence is Evidence.SOLVER
    assert outcome.bracket.witness is None
    assert not outcome.note


@pytest.mark.parametrize("search", ASKERS.values(), ids=ASKERS)
def test_bounds_alone_prove_what_they_can_and_no_solver_is_asked(
    search: Search, question: Question
) -> None:
    def never(query: Query, timeout: float) -> Answer:
        raise AssertionError("asked")

    options = SearchOptions(TOLERANCE, nodes=2000, evidence=Evidence.BOUND)
    start = Bracket(0.0, Evidence.BOUND, witness_at(question, 0.4, 0.0))
    outcome, _ = run(search, question, Scripted(never), start, options)
    assert 0.0 < outcome.bracket.lower <= OPTIMUM
    assert outcome.bracket.evidence is Evidence.BOUND


@pytest.mark.parametrize("search", ASKERS.values(), ids=ASKERS)
def test_without_a_limit_the_solver_still_gets_a_finite_time(
    search: Search, question: Question
) -> None:
    options = SearchOptions(TOLERANCE, bounds=False)
    assert options.timeout == inf
    backend = Scripted(honest)
    outcome, _ = run(search, question, backend, options=options)
    assert backend.calls
    assert outcome.bracket.upper - outcome.bracket.lower <= TOLERANCE


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
def test_without_time_nothing_is_asked(search: Search, question: Question) -> None:
    start = Bracket(0.1, Evidence.BOUND, witness_at(question, 0.4, 0.0))
    backend = Scripted(honest)
    outcome, _ = run(search, question, backend, start, SearchOptions(TOLERANCE, timeout=0.0))
    assert not backend.calls
    assert outcome.bracket.lower >= 0.1
    assert outcome.note


@pytest.mark.parametrize("search", ASKERS.values(), ids=ASKERS)
def test_one_query_gets_no_more_than_its_own_limit(search: Search, question: Question) -> None:
    options = SearchOptions(TOLERANCE, nodes=2000, query_timeout=2.5)
    backend = Scripted(honest)
    run(search, question, backend, options=options)
    assert backend.calls
    assert max(backend.calls) <= 2.5


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
def test_a_cutoff_closes_the_question_and_nothing_beyond_it_is_asked(
    search: Search, question: Question
) -> None:
    cutoff = 0.15
    options = SearchOptions(TOLERANCE, nodes=2000, cutoff=cutoff)
    for start in (Bracket(), Bracket(0.0, Evidence.BOUND, witness_at(question, 0.4, 0.0))):
        outcome, _ = run(search, question, Scripted(honest), start, options)
        assert cutoff - TOLERANCE <= outcome.bracket.lower <= OPTIMUM
        assert not outcome.note
        assert all(q.radius <= cutoff for q in outcome.queries)
