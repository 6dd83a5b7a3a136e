"""Open nodes dealt out and worked on elsewhere: nothing of the tree is lost."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf

import numpy as np
import pytest
from digit_questions import digit_question
from expanded_trees import OPTIONS, expanded

from marapatch.network.graph import dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import Rule, beats
from marapatch.problem.norm import PROVED, Norm
from marapatch.problem.question import Question
from marapatch.problem.replay import Replay
from marapatch.problem.verdict import Sat
from marapatch.search.branch_and_bound.parts import ENOUGH, enough, resume
from marapatch.search.branch_and_bound.relu_tree import ReluTree
from marapatch.search.branch_and_bound.workers import Part
from marapatch.solvers import create


@pytest.mark.parametrize("norm", PROVED, ids=lambda norm: norm.value)
def test_parts_worked_on_apart_refute_what_the_whole_does(norm: Norm) -> None:
    question, start = digit_question(norm, 7, 1)
    tree = expanded(question, start, replace(OPTIONS, nodes=60), 1 << 30)
    dealt = tree.open_nodes.nodes()
    least = tree.open_nodes.least(tree.target)
    assert len(dealt) > 1
    floors = []
    for k in range(2):
        backend = create("highs")
        other = ReluTree(question, start, backend, OPTIONS, lambda *_: None)
        common = question, tree.root_state.bounds, "highs", OPTIONS, tree.bracket
        part = Part(*common, tree.target, dealt[k::2], inf, 60.0)
        found = resume(other, part)
        backend.close()
        assert found.bounded >= 1
        open_radii = [node.radius for node in found.open]
        floors.append(min([*open_radii, *found.unresolved, tree.target]))
    assert min(floors) >= least * (1.0 - 1e-12)  # no part is worse than what it began with


@pytest.mark.parametrize(("seed", "norm"), [(9, Norm.L1), (58, Norm.LINF), (73, Norm.LINF)])
def test_what_a_part_refutes_is_no_lower_end(seed: int, norm: Norm) -> None:
    """A nearer witness may lie in another part, or be found later in this one."""
    question = random_question(seed, norm)
    backend = create("highs")
    tree = ReluTree(question, Bracket(), backend, replace(OPTIONS, nodes=20), lambda *_: None)
    tree.advance(inf, 20)
    dealt = tree.open_nodes.nodes()
    common = question, tree.root_state.bounds, "highs", OPTIONS, tree.bracket, tree.target
    bracket, nearer = tree.bracket, 0
    for k in range(4):
        other = ReluTree(question, tree.bracket, backend, OPTIONS, lambda *_: None)
        found = resume(other, Part(*common, dealt[k::4], inf, 1000.0))
        assert other.bracket.lower == tree.bracket.lower
        if found.witness is not None:
            nearer += 1
            bracket = bracket.tighten(Sat(found.witness))
    backend.close()
    assert nearer
    assert bracket.upper < tree.bracket.upper


def random_question(seed: int, norm: Norm) -> Question:
    rng = np.random.default_rng(seed)
    sizes = [12, 10, 10, 2]
    weights = [rng.normal(size=(b, a)) / np.sqrt(a) * 1.6 for a, b in pairwise(sizes)]
    network = dense_network(weights, [rng.normal(size=b) * 0.3 for b in sizes[1:]])
    centre = rng.uniform(size=12)
    ball = Ball(centre, np.zeros(12), np.ones(12), norm, inf)
    target = 1 - int(network.evaluate(centre)[0].argmax())
    condition = beats(target, 2, Rule.ARGMAX)
    replay = Replay(network, ball, condition)
    whole = ball.with_radius(ball.covering_radius)
    return Question(network.standard_form, whole, condition, replay)


def test_few_nodes_are_not_worth_dealing_out() -> None:
    class Two:
        jobs = 2

    assert not enough(2 * ENOUGH - 1, Two())  # type: ignore[arg-type]
    assert enough(2 * ENOUGH, Two())  # type: ignore[arg-type]
