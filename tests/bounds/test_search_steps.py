"""What a bound's search finds: minimisers that are inputs, dual values that are nearly the best."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from marapatch.bounds.concretise import Concretiser, concretiser_of
from marapatch.bounds.nodes import Bounded, Nodes
from marapatch.problem.ball import Ball
from marapatch.problem.norm import PROVED, Norm

STEPS = 24


def spread_ball(norm: Norm, rng: np.random.Generator, inputs: int, radius: float) -> Ball:
    """A box that is narrower than the ball here and there, and as often on one side only."""
    centre = rng.uniform(-1.0, 1.0, inputs)
    down, up = rng.choice([0.0, 0.125, 0.25], (2, inputs))
    return Ball(centre, centre - down, centre + up, norm, radius)


@pytest.mark.parametrize("norm", PROVED)
@pytest.mark.parametrize("radius", [0.5, 2.0])
def test_minimisers_are_inputs_of_the_ball_and_nearly_the_least(norm: Norm, radius: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(10):
        ball = spread_ball(norm, rng, 12, radius)
        a, c = rng.normal(size=(3, 12)), rng.normal(size=3)
        over = concretiser_of(ball)
        least, points = over.minimum_and_minimiser(a, c)
        np.testing.assert_allclose(least, over.minimum(a, c, sharp=True), rtol=1e-12, atol=1e-12)
        size = np.abs(points - ball.centre)
        spent = size.max(axis=1) if norm is Norm.LINF else size.sum(axis=1)
        assert (spent <= ball.radius * (1.0 + 1e-12)).all()
        assert ((points >= ball.lower - 1e-12) & (points <= ball.upper + 1e-12)).all()
        at_centre = a @ ball.centre + c
        taken = at_centre - ((a * points).sum(axis=1) + c)
        # Of an L1 ball the item that does not fit is left out, the largest of these being a share.
        assert (taken >= (0.999 if norm is Norm.LINF else 0.5) * (at_centre - least)).all()


def test_the_minimiser_takes_whole_what_fits_whole() -> None:
    """Of steps by 1/4 at most, a radius of 1/2 pays for the two of the largest gain."""
    centre = np.zeros(5)
    ball = Ball(centre, centre - 0.25, centre + 0.25, Norm.L1, 0.5)
    a = np.array([[3.0, -5.0, 1.0, 0.5, -0.25], [-1.0, 2.0, 7.0, -4.0, 3.0]])
    least, points = concretiser_of(ball).minimum_and_minimiser(a, np.zeros(2))
    np.testing.assert_allclose(least, [-2.0, -2.75], rtol=1e-12)
    np.testing.assert_allclose(points, 0.25 * np.array([[-1, 1, 0, 0, 0], [0, 0, -1, 1, 0]]))


def best_under_cut(over: Concretiser, a: np.ndarray, c: float, cut: np.ndarray, offset: float
                   ) -> tuple[float, float]:  # fmt: skip
    """The bound without the cut, and the best that a dual value of the cut gives: concave in it."""
    scale = np.abs(a).sum() / np.abs(cut).sum()
    dual_values = np.concatenate([[0.0], scale * np.geomspace(1e-3, 1e3, 2000)])
    forms = a + dual_values[:, None] * cut
    least = over.minimum(forms, c + dual_values * offset, sharp=True)
    return float(least[0]), float(least.max())


@pytest.mark.parametrize(
    ("norm", "inputs"),
    [(Norm.LINF, 3), (Norm.LINF, 40), (Norm.LINF, 700), (Norm.L1, 40), (Norm.L1, 700)],
)
def test_the_dual_value_of_a_cut_is_nearly_the_best(norm: Norm, inputs: int) -> None:
    """Also where there are so many inputs that it is searched for on a sample of them."""
    rng = np.random.default_rng(2)
    shares = []
    for _ in range(20):
        centre = rng.uniform(-1.0, 1.0, inputs)
        radius = 0.5 if norm is Norm.LINF else 0.1 * inputs
        ball = Ball(centre, centre - 0.5, centre + 0.5, norm, radius)
        over = concretiser_of(ball)
        # Cut and form agree in part: what the cut forbids is much of where the form is least.
        cut = rng.normal(size=(1, inputs))
        a = rng.normal(size=(1, inputs)) - 0.7 * cut
        reach = over.minimum(cut, np.zeros(1), sharp=True)
        offset = -0.3 * cut @ centre - 0.7 * reach  # leaves some of the ball, not its minimiser
        without, best = best_under_cut(over, a[0], 0.0, cut[0], float(offset[0]))
        found = over.minimum_under_cut(a, np.zeros(1), (cut, offset), np.zeros(1, np.int64), STEPS)
        if best - without > 1e-3 * abs(without):
            shares.append((found[0] - without) / (best - without))
    assert len(shares) >= 10
    assert max(shares) <= 1.01
    assert np.mean(shares) > 0.9


def numbered(count: int, first: int) -> Bounded:
    """Every field differs from node to node and from the other fields."""
    node = np.arange(first, first + count, dtype=float)
    nodes = Nodes(*(node[:, None] + 1000.0 * k for k, _ in enumerate(fields(Nodes))))
    return Bounded(nodes, node, node + 0.25, node[:, None] + 0.5, node[:, None] + 0.75)


def test_nodes_taken_and_stacked_keep_what_was_proved_of_them() -> None:
    whole = Bounded.stack([numbered(3, 0), numbered(2, 3)])
    picked, wanted = whole.take(np.array([4, 1])), [numbered(1, 4), numbered(1, 1)]
    for one, other in (
        (picked, Bounded.stack(wanted)),
        (whole, numbered(5, 0)),
        (picked.take(np.array([True, False])), numbered(1, 4)),
    ):
        for name in ("value", "radius", "score", "point"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
        for field in fields(Nodes):
            assert np.array_equal(getattr(one.nodes, field.name), getattr(other.nodes, field.name))


def test_a_neuron_is_unstable_only_where_its_bounds_are_on_both_sides_of_0() -> None:
    ends = {(-1.0, 2.0): True, (-2.0, -1.0): False, (1.0, 2.0): False, (-1.0, 0.0): False,
            (0.0, 1.0): False}  # fmt: skip
    lower, upper = np.array([list(ends)]).transpose(2, 0, 1)
    rest = [np.zeros((1, 1))] * (len(fields(Nodes)) - 2)
    assert Nodes(lower, upper, *rest).unstable.tolist() == [list(ends.values())]
