"""Bisection: where it ends, and what it proves."""

from __future__ import annotations

from scripted_solver import OPTIMUM, Untrusted, honest, run, witness_at

from marapatch.problem.bracket import Bracket
from marapatch.problem.question import Question
from marapatch.problem.verdict import Evidence
from marapatch.search.bisection import bisection
from marapatch.search.options import SearchOptions


def test_bisection_ends_where_untrusted_answers_alone_support_no_more(question: Question) -> None:
    """Each further query would be wasted: what kappa takes off is more than there is to gain."""
    start = Bracket(0.0, Evidence.BOUND, witness_at(question, 0.21, -0.21))
    options = SearchOptions(1e-7, nodes=2000, bounds=False)
    outcome, _ = run(bisection, question, Untrusted(honest), start, options)
    assert len(outcome.queries) <= 12
    assert OPTIMUM * (1.0 - 4e-3) <= outcome.bracket.lower <= OPTIMUM <= outcome.bracket.upper
    assert outcome.bracket.upper <= OPTIMUM * (1.0 + 4e-3)
    assert "--confirm has a second engine asked too" in outcome.note


def test_bisection_closes_with_a_second_engine(question: Question) -> None:
    start = Bracket(0.0, Evidence.BOUND, witness_at(question, 0.21, -0.21))
    options = SearchOptions(1e-5, nodes=2000, confirm=True, bounds=False)
    outcome, _ = run(bisection, question, Untrusted(honest), start, options)
    assert options.closed(outcome.bracket)
    assert not outcome.note
