"""Leaves of the tree: a linear program, then a solver, then nobody."""

from __future__ import annotations

import numpy as np
import pytest
from tree_questions import Says, linear_question, quiet, run

from marapatch.network.graph import dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import Rule, beats
from marapatch.problem.norm import PROVED, Norm
from marapatch.problem.question import Question
from marapatch.problem.replay import Replay
from marapatch.problem.verdict import Evidence
from marapatch.search.branch_and_bound.driver import tree
from marapatch.search.options import SearchOptions
from marapatch.solvers.base import Infeasible, Undecided


@pytest.mark.parametrize("norm", list(PROVED))
def test_a_network_without_relu_is_one_leaf(norm: Norm) -> None:
    question, distance = linear_question(norm)
    outcome = run(question, tolerance=1e-5)
    assert outcome.bracket.lower <= distance <= outcome.bracket.upper
    assert outcome.bracket.closed(1e-5)


def _stuck() -> Question:
    """A tie over a whole region: every leaf of it meets the condition and none strictly."""
    network = dense_network(
        [np.array([[1.0]]), np.array([[1.0], [1.0]])], [np.array([-0.5]), np.array([0.0, 0.0])]
    )
    ball = Ball(np.array([0.4]), np.zeros(1), np.ones(1), Norm.LINF, np.inf)
    condition = beats(1, 2, Rule.ARGMAX)
    replay = Replay(network, ball, condition)
    return Question(
        network.standard_form, ball.with_radius(ball.covering_radius), condition, replay
    )


def test_a_leaf_that_only_a_solver_closes_lowers_the_evidence() -> None:
    backend = Says(Infeasible())
    outcome = tree(_stuck(), Bracket(), backend, SearchOptions(nodes=100), quiet)
    assert backend.asked > 0
    assert outcome.bracket.lower == np.inf  # as the solver says, whom nobody checked
    assert outcome.bracket.evidence is Evidence.SOLVER


@pytest.mark.parametrize("evidence", [Evidence.BOUND, Evidence.SOLVER])
def test_a_leaf_that_nobody_closes_keeps_the_bracket_open(evidence: Evidence) -> None:
    backend = Says(Undecided("scripted"))
    options = SearchOptions(nodes=100, evidence=evidence)
    outcome = tree(_stuck(), Bracket(), backend, options, quiet)
    assert outcome.bracket.lower == 0.0
    assert outcome.bracket.upper == np.inf
    assert "could not be decided" in outcome.note
    assert (backend.asked > 0) is (evidence is Evidence.SOLVER)
