"""Linear programs propose multipliers, rules choose neurons: neither can make a bound wrong."""

from __future__ import annotations

import exact_optimum as exact
import numpy as np
import pytest
from recorded_trees import expand
from small_networks import Case, small_case

from marapatch.bounds.crown import linear_bounds
from marapatch.bounds.nodes import Nodes
from marapatch.bounds.subproblems import NodeBounder
from marapatch.bounds.triangle import TriangleProgram
from marapatch.errors import InputError
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.problem.norm import PROVED, Norm
from marapatch.search.branch_and_bound.branching import RULES


def cases(norm: Norm, count: int) -> list[Case]:
    found = (small_case(seed, ("plain",)) for seed in range(1000))
    chosen = (case for case in found if case.ball.norm is norm and case.witnessed < np.inf)
    return [case for case, _ in zip(chosen, range(count), strict=False)]


def prepared(case: Case, share: float) -> tuple[NodeBounder, TriangleProgram, Nodes]:
    """The root and all of a random tree below it, two splits deep."""
    rng = np.random.default_rng(0)
    form, ball = case.network.standard_form, case.ball.with_radius(share * case.witnessed)
    bounds = linear_bounds(form, ball)
    bounder = NodeBounder(form, bounds, case.condition)
    nodes = bounder.root(bounds)
    parts, level = [nodes], nodes
    for _ in range(2):
        if not level.unstable.all(axis=0).any():
            break
        neuron = np.full(len(level), rng.choice(np.flatnonzero(level.unstable.all(axis=0))))
        level = Nodes.stack([level.split(neuron, 1), level.split(neuron, -1)])
        parts.append(level)
    return bounder, TriangleProgram(form, ball, case.condition), Nodes.stack(parts)


@pytest.mark.parametrize("norm", PROVED)
def test_the_proposed_multipliers_prove_what_the_program_found(norm: Norm) -> None:
    """So all prices have the sign that is meant: the rounded bound is the program's optimum."""
    compared = 0
    for case in cases(norm, 8):
        bounder, program, nodes = prepared(case, 1.2)
        for i in range(len(nodes)):
            ball = bounder.ball
            proposal = program.multipliers(nodes, i, ball, 10.0)
            if proposal is None or proposal.point is None:
                continue
            found = program.program.solve()
            assert found is not None
            weights, constant, _, _ = bounder.evaluate(proposal.nodes)
            if norm is Norm.L1:
                # The nearest point of the relaxation: the form is positive up to there.
                got = float(bounder.concretiser.radius_of(weights, constant)[0])
                assert got <= found.objective * (1.0 + 1e-6)
                assert got >= min(found.objective, ball.radius) * (1.0 - 1e-5)
            else:
                # The largest slack within the ball, in the units of the program's rows.
                got = float(bounder.concretiser.minimum(weights, constant)[0])
                scaled = got / float(proposal.nodes.row_multipliers[0] @ program.scale)
                assert scaled == pytest.approx(found.objective, rel=1e-6, abs=1e-6)
            compared += 1
    assert compared >= 10


@pytest.mark.parametrize("norm", PROVED)
def test_a_node_without_inputs_is_refuted_by_its_ray(norm: Norm) -> None:
    refuted, rays = 0, 0
    for case in cases(norm, 12):
        bounder, program, nodes = prepared(case, 1.2)
        for i in range(len(nodes)):
            proposal = program.multipliers(nodes, i, bounder.ball, 10.0)
            if proposal is not None and proposal.point is None:
                rays += 1
                refuted += bool(bounder.value(proposal.nodes)[0] > 0.0)
    assert rays >= 3
    assert refuted == rays


@pytest.mark.parametrize("norm", PROVED)
def test_no_proposal_bounds_above_the_exact_optimum(norm: Norm) -> None:
    for case in cases(norm, 6):
        form = case.network.standard_form
        optimum = exact.nearest(form, case.ball, case.condition, case.witnessed)
        assert optimum is not None
        bounder, program, nodes = prepared(case, 1.5)
        level = nodes.take(np.arange(1, 3)) if len(nodes) > 2 else nodes
        proposals = [program.multipliers(level, i, bounder.ball, 10.0) for i in range(len(level))]
        if all(p is not None for p in proposals):
            stacked = Nodes.stack([p.nodes for p in proposals if p is not None])
            radius = bounder.bound(stacked, 0).radius.min()
            assert radius <= float(optimum.distance) * (1.0 + 1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_gives_brackets_that_hold_the_exact_optimum(rule: str) -> None:
    nodes, closed = 0, 0
    for norm in PROVED:
        for case in cases(norm, 3):
            question = case.question
            optimum = exact.nearest(question.form, question.ball, question.condition)
            assert optimum is not None
            if optimum.distance < 1e-6:  # a tie at the centre: no lower end to prove
                continue
            outcome = expand(question, branching=rule, nodes=400, record=False)
            assert outcome.bracket.lower <= float(optimum.distance) * (1.0 + 1e-12)
            assert outcome.bracket.upper >= float(optimum.distance) * (1.0 - 1e-9)
            closed += outcome.bracket.closed(1e-3)
            nodes += outcome.nodes
    assert nodes > 10
    assert closed >= 2


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_chooses_an_unstable_neuron(rule: str) -> None:
    for norm in PROVED:
        for case in cases(norm, 4):
            bounder, _, nodes = prepared(case, 2.0)
            result = bounder.bound(nodes.take(~nodes.empty & nodes.unstable.any(axis=1)), 3)
            if not len(result.nodes):
                continue
            unstable = result.nodes.unstable
            for costs in (result.score, np.zeros_like(result.score)):
                score = np.where(unstable, costs + 1e-12, -1.0)
                neuron = RULES[rule](bounder, result.nodes, score)
                assert unstable[np.arange(len(neuron)), neuron].all()


def test_a_rule_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="branching 'best' is not one of trial"):
        GroundTruthOptions(branching="best")
