"""The sub-problems of the tree: what is refuted is not there, whatever the multipliers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import exact_optimum as exact
import exact_values
import numpy as np
import pytest
from small_networks import KINDS, branching_network, small_case

from marapatch.bounds.concretise import concretiser_of
from marapatch.bounds.crown import linear_bounds
from marapatch.bounds.nodes import Nodes
from marapatch.bounds.subproblems import NodeBounder
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition, Rule, beats
from marapatch.problem.norm import PROVED, Norm


def divided(bounder: NodeBounder, start: Nodes, rng: np.random.Generator, depth: int) -> Nodes:
    """A partition of the ball by phases, bounded and tightened as the tree does it."""
    nodes = start
    for _ in range(depth):
        unstable = nodes.unstable
        alive = np.flatnonzero(unstable.any(axis=1))
        if not alive.size:
            break
        choice = np.array([rng.choice(np.flatnonzero(row)) for row in unstable[alive]])
        parents = nodes.take(alive)
        children = Nodes.stack([parents.split(choice, 1), parents.split(choice, -1)])
        children = bounder.tighten(children, np.tile(bounder.layer_of[choice], 2))
        children = bounder.bound(children, int(rng.integers(0, 6))).nodes
        rest = np.setdiff1d(np.arange(len(nodes)), alive)
        nodes = Nodes.stack([nodes.take(rest), children])
    return nodes


def check(
    form: StandardForm, ball: Ball, condition: OutputCondition, rng: np.random.Generator
) -> tuple[int, int]:
    """Every fact the nodes of one random tree state, at exact points; how many were checked."""
    root = linear_bounds(form, ball)
    bounder = NodeBounder(form, root, condition)
    start = bounder.bound(bounder.root(root), 5).nodes
    nodes = divided(bounder, bounder.tighten(start), rng, 3)
    multiplied = replace(
        nodes,
        alpha=rng.uniform(-0.5, 1.5, nodes.alpha.shape),
        beta=rng.exponential(size=nodes.beta.shape) * rng.integers(0, 2, nodes.beta.shape),
        row_multipliers=rng.exponential(size=nodes.row_multipliers.shape),
    )
    result = bounder.bound(nodes, 4)
    weights, constants, _, _ = bounder.evaluate(multiplied)
    met, missed = 0, 0
    for x in exact_values.points(ball, rng, 12):
        hidden, outputs = exact_values.evaluate(form, x)
        z = [v for layer in hidden for v in layer]
        slacks = [
            sum(Fraction(w) * y for w, y in zip(row, outputs, strict=True)) - Fraction(rhs)
            for row, rhs in zip(condition.matrix.tolist(), condition.rhs.tolist(), strict=True)
        ]
        away = [abs(a - Fraction(c)) for a, c in zip(x, ball.centre.tolist(), strict=True)]
        distance = max(away) if ball.norm is Norm.LINF else sum(away)
        homes = 0
        for i in range(len(nodes)):
            signed = zip(nodes.phases[i].tolist(), z, strict=True)
            if any(phase * v < 0 for phase, v in signed):
                continue
            homes += 1
            candidate = min(slacks) >= 0
            met, missed = met + candidate, missed + (not candidate)
            if candidate:  # bounds and forms need hold for these only: they use the condition
                assert not nodes.empty[i]
                bounds = zip(nodes.lower[i].tolist(), z, nodes.upper[i].tolist(), strict=True)
                assert all(Fraction(a) <= v <= Fraction(b) for a, v, b in bounds)
                assert result.value[i] <= 0.0
                assert Fraction(result.radius[i]) < distance or distance == 0
                assert result.radius[i] == 0.0 or distance > 0
                value = Fraction(constants[i]) + sum(
                    Fraction(w) * v for w, v in zip(weights[i].tolist(), x, strict=True)
                )
                mixed = sum(
                    Fraction(m) * s
                    for m, s in zip(multiplied.row_multipliers[i].tolist(), slacks, strict=True)
                )
                assert value <= -mixed
        assert homes >= 1
    return met, missed


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_is_there_is_refuted(kind: str) -> None:
    rng = np.random.default_rng(0)
    met = 0
    for seed in range(8):
        case = small_case(seed, (kind,))
        form = case.network.standard_form
        for share in (0.3, 1.0):
            ball = case.ball.with_radius(share * case.ball.covering_radius)
            met += check(form, ball, case.condition, rng)[0]
            y = case.network.evaluate(ball.centre)[0]  # what the centre is decided as: easy to meet
            met += check(form, ball, beats(int(y.argmax()), y.size, Rule.ARGMAX), rng)[0]
    assert met > 80


@pytest.mark.parametrize("norm", PROVED)
def test_nothing_is_refuted_in_branching_networks(norm: Norm) -> None:
    rng = np.random.default_rng(1)
    met = 0
    for _ in range(6):
        network = branching_network(rng)
        centre = rng.normal(size=3)
        ball = Ball(centre, centre - 0.3, centre + 0.2, norm, 10.0 ** rng.uniform(-2, 0))
        for target in (0, 1):
            condition = beats(target, 2, Rule.ARGMAX)
            met += check(network.standard_form, ball, condition, rng)[0]
    assert met > 30


@pytest.mark.parametrize("seed", range(14))
def test_the_optimum_is_beyond_the_least_refuted_radius(seed: int) -> None:
    """The nodes cover the ball, so one of them holds the optimum and may not refute it."""
    rng = np.random.default_rng(seed)
    case = small_case(seed)
    form = case.network.standard_form
    optimum = exact.nearest(form, case.ball, case.condition, case.witnessed)
    root = linear_bounds(form, case.ball)
    bounder = NodeBounder(form, root, case.condition)
    start = bounder.bound(bounder.root(root), 10).nodes
    nodes = divided(bounder, start, rng, 3)
    alive = nodes.take(~nodes.empty)
    if optimum is None:
        assert not len(alive) or bounder.bound(alive, 8).radius.min() >= 0.0
        return
    assert len(alive)
    result = bounder.bound(alive, 8)
    if optimum.exact:
        assert Fraction(result.radius.min()) < optimum.distance
        assert result.value.min() <= 0.0
        shrunk = float(optimum.distance) * (1.0 + 1e-12)
        bounder.shrink(shrunk)
        assert bounder.bound(nodes, 8).value.min() <= 0.0


@pytest.mark.parametrize("norm", PROVED)
def test_what_overflows_proves_nothing(norm: Norm) -> None:
    """No NaN may slip through a comparison: it would read as refuted."""
    ball = Ball(np.full(3, 0.5), np.zeros(3), np.ones(3), norm, 0.25)
    concretiser = concretiser_of(ball)
    a = np.array([[1e308, 1e308, 1e308], [1e308, -1e308, 1e308], [np.inf, 0.0, 1.0]])
    cut = np.array([[1e-300, 0.0, 0.0], [1e308, 1e308, 1e308], [1.0, 1.0, 1.0]])
    with np.errstate(all="ignore"):
        least = concretiser.minimum(a, np.zeros(3))
        under = concretiser.minimum_under_cut(a, np.zeros(3), (cut, np.ones(3)), np.arange(3), 12)
        radius = concretiser.radius_of(a, np.zeros(3))
    assert not np.isnan(least).any()
    assert not np.isnan(under).any()
    assert (radius == 0.0).all()
