"""Bounds that hold may still be of no use: these are as tight as their method makes them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf

import numpy as np
import pytest

from marapatch.bounds import crown
from marapatch.bounds.bounds import Bounds
from marapatch.bounds.concretise import concretiser_of
from marapatch.bounds.crown import linear_bounds
from marapatch.bounds.interval import interval_bounds
from marapatch.bounds.nodes import Bounded, Nodes
from marapatch.bounds.subproblems import NodeBounder
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.graph import dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.norm import PROVED, Norm


def deep(seed: int) -> StandardForm:
    rng = np.random.default_rng(seed)
    sizes = (4, 9, 9, 9, 3)
    weights = [rng.normal(size=(b, a)) / a**0.5 for a, b in pairwise(sizes)]
    biases = [0.1 * rng.normal(size=b) for b in sizes[1:]]
    return dense_network(weights, biases).standard_form


def ball(norm: Norm, radius: float = 0.4) -> Ball:
    return Ball(np.full(4, 0.5), np.zeros(4), np.ones(4), norm, radius)


@pytest.mark.parametrize("norm", PROVED)
@pytest.mark.parametrize("seed", range(4))
def test_what_intervals_leave_open_is_bounded_by_a_backward_pass(norm: Norm, seed: int) -> None:
    form = deep(seed)
    linear, interval = linear_bounds(form, ball(norm)), interval_bounds(form, ball(norm))
    narrower = 0.0
    for k in (1, 2):
        before = interval.upper[k] - interval.lower[k]
        after = linear.upper[k] - linear.lower[k]
        is_open = (interval.lower[k] < 0.0) & (interval.upper[k] > 0.0)
        assert is_open.any()
        assert (after <= before).all()
        narrower += float((after < 0.97 * before)[is_open].mean())
    assert narrower > 1.0
    output = linear.output[1] - linear.output[0]
    assert (output < 0.9 * (interval.output[1] - interval.output[0])).all()


@pytest.mark.parametrize("norm", PROVED)
def test_every_block_of_neurons_has_its_turn(norm: Norm, monkeypatch: pytest.MonkeyPatch) -> None:
    form = deep(1)
    whole = linear_bounds(form, ball(norm))
    monkeypatch.setattr(crown, "ROW_BLOCK", 1)
    for until in (inf, 1e300):
        parts = linear_bounds(form, ball(norm), until)
        for one, other in zip(whole.lower + whole.upper, parts.lower + parts.upper, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    assert width(linear_bounds(form, ball(norm), -inf)) > width(whole)


def width(bounds: Bounds) -> float:
    pairs = zip(bounds.lower, bounds.upper, strict=True)
    return sum(float((high - low).sum()) for low, high in pairs)


def bounder(norm: Norm, seed: int, margin: float = 0.02) -> NodeBounder:
    form = deep(seed)
    rows = np.array([[1.0, -1.0, 0.0], [1.0, 0.0, -1.0]])
    outputs = form.evaluate(np.full((1, 4), 0.5))[0]
    wanted = OutputCondition(rows, rows @ outputs + margin)
    return NodeBounder(form, linear_bounds(form, ball(norm)), wanted)


@pytest.mark.parametrize("norm", PROVED)
def test_a_cut_narrows_every_layer_and_after_a_split_the_first_and_the_later_ones(
    norm: Norm,
) -> None:
    """The first layer is the input itself, of which the cut says most."""
    narrowed = np.zeros((2, 3), int)
    for seed in range(8):
        here = bounder(norm, seed, 0.2)
        root = here.bound(here.root(linear_bounds(here.form, ball(norm))), 20).nodes
        for i, nodes in enumerate((here.tighten(root), here.tighten(root, np.array([1])))):
            assert (nodes.lower >= root.lower).all()
            assert (nodes.upper <= root.upper).all()
            narrower = (nodes.upper - nodes.lower)[0] < (root.upper - root.lower)[0] - 1e-6
            narrowed[i] += [int(narrower[span].any()) for span in here.spans]
        assert np.array_equal(here.tighten(root, until=-inf).lower, root.lower)
    assert (narrowed[0] >= 4).all()
    assert narrowed[1][1] == 0
    assert (narrowed[1][[0, 2]] >= 4).all()


@pytest.mark.parametrize("norm", PROVED)
def test_steps_along_the_supergradient_raise_the_bound(norm: Norm) -> None:
    """By much in the first steps, and never down: the best of all steps is kept."""
    gained = []
    for seed in range(6):
        here = bounder(norm, seed)
        start = here.root(linear_bounds(here.form, ball(norm)))
        values = [float(here.bound(start, steps).value[0]) for steps in (0, 5, 20, 60)]
        assert values == sorted(values)
        gained.append((values[2] - values[0]) / abs(values[0]))
    assert np.median(gained) > 0.2


@pytest.mark.parametrize("norm", PROVED)
def test_the_minimiser_over_the_whole_box_is_its_corner(norm: Norm) -> None:
    """Where nothing but the box binds, it is known exactly."""
    rng = np.random.default_rng(3)
    over = concretiser_of(ball(norm, 10.0))
    a, c = rng.normal(size=(5, 4)), rng.normal(size=5)
    least, x = over.minimum_and_minimiser(a, c)
    np.testing.assert_allclose(x, np.where(a > 0.0, 0.0, 1.0), atol=1e-12)
    np.testing.assert_allclose((a * x).sum(axis=1) + c, least, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(over.minimum(a, c, sharp=True), least, rtol=1e-12, atol=1e-12)


def test_bounds_that_meet_are_of_one_value_and_not_of_none() -> None:
    here = bounder(Norm.LINF, 0)
    root = here.root(linear_bounds(here.form, ball(Norm.LINF)))
    one = replace(root, lower=root.upper.copy())
    assert not one.empty.any()
    crossed = replace(root, lower=np.nextafter(root.upper, inf))
    assert crossed.empty.all()


def test_what_was_proved_of_some_nodes_is_that_of_all_of_them() -> None:
    """Taken apart and put together again, every array with its nodes."""
    here = bounder(Norm.LINF, 0)
    root = here.root(linear_bounds(here.form, ball(Norm.LINF)))
    neuron = np.flatnonzero(root.unstable[0])[:1]
    both = Nodes.stack([root.split(neuron, 1), root.split(neuron, -1), root])
    whole = here.bound(both, 5)
    parts = [whole.take(np.array([i])) for i in range(3)]
    again = Bounded.stack(parts)
    for name in ("value", "radius", "score", "point"):
        assert len(getattr(parts[1], name)) == 1
        assert np.array_equal(getattr(again, name), getattr(whole, name))
        assert np.array_equal(getattr(parts[1], name)[0], getattr(whole, name)[1])
    for field in ("lower", "upper", "phases", "alpha", "beta", "row_multipliers", "cut", "offset"):
        assert np.array_equal(getattr(again.nodes, field), getattr(whole.nodes, field))
    assert whole.nodes.phases[0, neuron] == 1
    assert whole.nodes.phases[1, neuron] == -1
    assert whole.nodes.lower[0, neuron] == 0.0
    assert whole.nodes.upper[1, neuron] == 0.0
    assert len(whole.nodes.take(np.array([True, False, True]))) == 2
