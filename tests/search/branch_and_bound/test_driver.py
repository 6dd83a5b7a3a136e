"""The tree against exact enumeration: its brackets contain the optimum, proved by it alone."""

from __future__ import annotations

from importlib import import_module
from itertools import count, pairwise

import numpy as np
import pytest
from exact_optimum import nearest
from small_networks import Case, small_case
from tree_questions import Forbidden, Says, linear_question, quiet, run

from marapatch.network.graph import dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import Rule, beats
from marapatch.problem.norm import PROVED, Norm
from marapatch.problem.question import Question
from marapatch.problem.replay import Replay
from marapatch.problem.verdict import Evidence
from marapatch.search.branch_and_bound.driver import tree
from marapatch.search.branch_and_bound.relu_tree import ReluTree
from marapatch.search.options import Report, SearchOptions
from marapatch.solvers.base import Undecided
from marapatch.witnesses.polish import polish


@pytest.mark.parametrize("seed", range(12))
def test_the_bracket_contains_the_exact_optimum_by_bounds_alone(seed: int) -> None:
    case = small_case(seed, ("plain", "tiny"))
    question = case.question
    optimum = nearest(question.form, question.ball, question.condition, case.witnessed)
    tolerance = 1e-3 if optimum is None else 1e-3 * float(optimum.distance) + 1e-9
    outcome = run(question, tolerance=tolerance)
    if optimum is None:
        assert outcome.bracket.witness is None
        assert outcome.bracket.lower == np.inf
        return
    if optimum.exact:
        assert outcome.bracket.lower <= optimum.distance
    assert outcome.bracket.upper >= float(optimum.distance) * (1.0 - 1e-9)
    assert outcome.bracket.evidence is Evidence.BOUND


def test_most_small_questions_are_closed_by_bounds_alone() -> None:
    closed = 0
    for seed in range(100, 110):
        case = small_case(seed, ("plain",))
        outcome = run(case.question, tolerance=1e-3)
        closed += outcome.bracket.closed(1e-3) or outcome.bracket.lower == np.inf
    assert closed >= 8  # the others tie at zero distance, where no margin is strict


def _case(norm: Norm) -> Case:
    return next(
        case
        for case in (small_case(seed, ("plain",)) for seed in range(1000))
        if case.ball.norm is norm and 0.05 < case.witnessed < 1.0
    )


@pytest.mark.parametrize("norm", list(PROVED))
def test_a_start_is_never_widened_and_the_report_only_tightens(norm: Norm) -> None:
    question = _case(norm).question
    first = run(question, tolerance=1e-2)
    seen: list[Bracket] = []

    def report(bracket: Bracket, queries: int) -> None:
        seen.append(bracket)

    watch: Report = report
    options = SearchOptions(tolerance=1e-4, nodes=2000, evidence=Evidence.BOUND)
    second = tree(question, first.bracket, Forbidden(), options, watch)
    assert second.bracket.lower >= first.bracket.lower
    assert second.bracket.upper <= first.bracket.upper
    assert all(a.lower <= b.lower and a.upper >= b.upper for a, b in pairwise(seen))


@pytest.mark.parametrize("norm", list(PROVED))
def test_without_time_nothing_moves(norm: Norm) -> None:
    question = _case(norm).question
    outcome = run(question, timeout=0.0)
    assert outcome.bracket.upper == np.inf
    assert outcome.note


@pytest.mark.parametrize("norm", list(PROVED))
def test_a_cutoff_closes_the_question_without_a_witness(norm: Norm) -> None:
    question = _case(norm).question
    distance = run(question, tolerance=1e-4).bracket.lower
    cutoff = 0.5 * distance
    outcome = run(question, tolerance=1e-4, cutoff=cutoff)
    assert outcome.bracket.witness is None
    assert cutoff - 1e-4 <= outcome.bracket.lower <= distance


def test_a_polished_witness_is_the_optimum_where_the_network_is_linear() -> None:
    question, distance = linear_question(Norm.LINF)
    witness = question.replay(np.array([0.0, 0.0]))
    assert witness is not None
    assert polish(question, witness, np.inf).distance == pytest.approx(distance, rel=1e-4)


def test_halving_ends_where_nothing_moves_the_lower_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outputs tie around the centre: what is left is soon within a few tolerances."""
    trees = count()

    def counted(*given: object) -> ReluTree:
        assert next(trees) < 100, "the same tree was begun again and again"
        return ReluTree(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(
        import_module("marapatch.search.branch_and_bound.driver"), "ReluTree", counted
    )
    outcome = run(small_case(3, ("plain",)).question, tolerance=0.1, nodes=100, record=True)
    assert outcome.bracket.lower == 0.0
    assert outcome.note


def test_a_witness_within_the_tolerance_leaves_nothing_to_refute() -> None:
    """(0.5, 0.25) and the line x = 2 y are one tie: the first leaf's witness is nearer than the
    tolerance, and the rest of the leaf is asked at no radius below 0."""
    network = dense_network([np.array([[1.0, 0.0], [0.0, 2.0]])], [np.zeros(2)])
    ball = Ball(np.array([0.5, 0.25]), np.zeros(2), np.ones(2), Norm.LINF, np.inf)
    condition = beats(1, 2, Rule.ARGMAX)
    replay = Replay(network, ball, condition)
    question = Question(
        network.standard_form, ball.with_radius(ball.covering_radius), condition, replay
    )
    backend = Says(Undecided("scripted"))
    outcome = tree(question, Bracket(), backend, SearchOptions(nodes=100), quiet)
    assert outcome.bracket.closed(1e-4)
    assert outcome.bracket.lower == 0.0


def test_the_same_question_gives_the_same_tree() -> None:
    question = _case(Norm.L1).question
    first, second = run(question), run(question)
    assert first.nodes == second.nodes
    assert first.bracket.lower == second.bracket.lower
    assert first.bracket.upper == second.bracket.upper
