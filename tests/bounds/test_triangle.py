"""Linear programs propose multipliers, rules choose neurons: neither can make a bound wrong."""

from __future__ import annotations

import exact_optimum as exact
import numpy as np
import pytest
from triangle_nodes import cases, prepared

from marapatch.bounds.nodes import Nodes
from marapatch.problem.norm import PROVED, Norm


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
