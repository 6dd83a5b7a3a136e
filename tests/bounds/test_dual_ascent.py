"""The supergradient steps find the multipliers that linear programs do; splits make progress."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from digit_questions import digit_question
from small_networks import small_case

from marapatch.bounds.crown import linear_bounds
from marapatch.bounds.dual_ascent import onto_simplex
from marapatch.bounds.nodes import Nodes
from marapatch.bounds.subproblems import NodeBounder
from marapatch.bounds.triangle import TriangleProgram
from marapatch.problem.norm import PROVED, Norm
from marapatch.search.branch_and_bound import branching
from marapatch.search.branch_and_bound.branching import RULES


def digit_nodes(norm: Norm, share: float) -> tuple[NodeBounder, Nodes]:
    """The root of a digit's question and its children by three splits, nothing optimised yet."""
    question, start = digit_question(norm, 7, 1)
    bounds = linear_bounds(question.form, question.ball.with_radius(share * start.upper))
    bounder = NodeBounder(question.form, bounds, question.condition)
    parts = [bounder.root(bounds)]
    for neuron in np.flatnonzero(parts[0].unstable[0])[[3, 20, 30]]:
        last = parts[-1]
        which = np.full(len(last), neuron)
        parts.append(Nodes.stack([last.split(which, 1), last.split(which, -1)]))
    return bounder, Nodes.stack(parts)


def test_steps_near_the_optimum_of_the_linear_program() -> None:
    bounder, nodes = digit_nodes(Norm.LINF, 0.8)
    program = TriangleProgram(bounder.form, bounder.ball, bounder.condition)
    proposals = [program.multipliers(nodes, i, bounder.ball, 60.0) for i in range(len(nodes))]
    assert all(proposal is not None for proposal in proposals)
    best = bounder.value(Nodes.stack([each.nodes for each in proposals if each is not None]))
    before = bounder.value(nodes)
    assert (best > before).all()
    few, many = (bounder.bound(nodes, steps).value for steps in (10, 60))
    assert ((few - before) / (best - before)).min() > 0.75
    assert ((many - before) / (best - before)).min() > 0.95


@pytest.mark.parametrize("norm", PROVED)
def test_a_row_of_the_condition_comes_back_from_nothing(norm: Norm) -> None:
    """A node inherits its parent's mix; what counted for nothing there may be what counts here."""
    bounder, nodes = digit_nodes(norm, 0.5)
    rows = nodes.row_multipliers.shape[1]
    fair = bounder.bound(nodes, 40).value
    for row in range(rows):
        one_sided = replace(nodes, row_multipliers=np.tile(np.eye(rows)[row], (len(nodes), 1)))
        before = bounder.value(one_sided)
        after = bounder.bound(one_sided, 40).value
        assert ((after - before) >= 0.9 * (fair - before)).all()


def test_projection_onto_the_simplex() -> None:
    points = np.random.default_rng(0).normal(size=(200, 7)) * 10.0 ** np.arange(-3, 4)
    found = onto_simplex(points)
    assert (found >= 0.0).all()
    assert found.sum(axis=1) == pytest.approx(1.0)
    inside = np.random.default_rng(1).dirichlet(np.ones(7), 50)
    assert onto_simplex(inside) == pytest.approx(inside)
    # The nearest point: no other of the simplex makes an acute angle with the way to it.
    for corner in np.eye(7):
        assert ((points - found) * (corner - found)).sum(axis=1).max() < 1e-9 * np.abs(points).max()


@pytest.mark.parametrize("rule", sorted(RULES))
@pytest.mark.parametrize("norm", PROVED)
def test_only_unstable_neurons_are_split(
    rule: str, norm: Norm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no split seems to gain: a stable one would leave the node as it is, for ever."""
    monkeypatch.setattr(branching, "WANTED_GAIN", np.inf)
    seen = 0
    for seed in range(40):
        case = small_case(seed)
        form, ball = case.network.standard_form, replace(case.ball, norm=norm)
        bounds = linear_bounds(form, ball)
        bounder = NodeBounder(form, bounds, case.condition)
        result = bounder.bound(bounder.root(bounds), 5)
        unstable = result.nodes.unstable
        if not unstable.any():
            continue
        score = np.where(unstable, result.score + 1e-12, -1.0)
        assert unstable[0, RULES[rule](bounder, result.nodes, score)[0]]
        seen += 1
    assert seen > 10


def test_the_gap_says_where_the_relaxation_gives_away() -> None:
    """Fixed to the phase that its best point has, the neuron of the largest gap has none."""
    bounder, nodes = digit_nodes(Norm.LINF, 0.8)
    gaps = bounder.gaps(nodes, 60)
    assert np.isneginf(gaps[~nodes.unstable]).all()
    worst = gaps.argmax(axis=1)
    assert (gaps.max(axis=1) > 0.0).all()
    for phase in (1, -1):
        children = nodes.split(worst, phase)
        assert np.isneginf(bounder.gaps(children, 60)[np.arange(len(nodes)), worst]).all()
        assert (bounder.bound(children, 60).value > bounder.bound(nodes, 60).value).all()
