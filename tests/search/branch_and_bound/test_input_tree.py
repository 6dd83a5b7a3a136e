"""Boxes bounded and halved: nothing is lost, and a search can be resumed."""

from __future__ import annotations

import numpy as np
import pytest
from small_properties import grid, network_of, question_of

from marapatch.bounds.crown import linear_bounds
from marapatch.problem.verdict import Unknown, Unsat
from marapatch.search.branch_and_bound.input_tree import BoxBounder, Boxes, InputSplit


@pytest.mark.parametrize("seed", range(6))
def test_boxes_are_bounded_soundly(seed: int) -> None:
    """Pre-activations and the condition at sampled points lie within the bounds of their box."""
    network = network_of(seed, 3)
    rng = np.random.default_rng(seed)
    samples = rng.uniform(-1, 1, size=(2000, 3))
    leads = network.evaluate(samples)
    matrix = np.array([[1.0, -1.0], [0.5, 1.0]])
    question = question_of(network, matrix, (leads @ matrix.T).max(axis=0) * 0.9)
    bounds = linear_bounds(question.form, question.ball)
    bounder = BoxBounder(question.form, bounds, question.condition)
    count = 40
    ends = np.sort(rng.uniform(-1, 1, size=(count, 3, 2)), axis=2)
    none = np.zeros(0)
    lower = np.tile(np.concatenate([none, *bounds.lower]), (count, 1))
    upper = np.tile(np.concatenate([none, *bounds.upper]), (count, 1))
    boxes = Boxes(ends[..., 0], ends[..., 1], lower, upper, np.zeros(count), np.ones((count, 3)))
    bounded, points = bounder.bound(boxes)
    assert (points >= boxes.low).all()
    assert (points <= boxes.high).all()
    tighter = 0
    for i in range(count):
        inside = rng.uniform(boxes.low[i], boxes.high[i], size=(200, 3))
        hidden, outputs = question.form.pre_activations(inside)
        flat = np.concatenate(hidden, axis=1)
        slack = 1e-9 * (1.0 + np.abs(flat).max())
        assert (flat >= bounded.lower[i] - slack).all()
        assert (flat <= bounded.upper[i] + slack).all()
        worst = question.condition.worst(outputs)
        assert bounded.value[i] <= -worst.max() + slack
        tighter += int((bounded.upper[i] - bounded.lower[i] < upper[i] - lower[i]).all())
    assert tighter > count // 2


def test_halves_cover_the_box() -> None:
    rng = np.random.default_rng(1)
    low = rng.uniform(-1, 0, size=(50, 3))
    high = low + rng.uniform(0, 1, size=(50, 3)) * (rng.random((50, 3)) < 0.8)
    rest = np.zeros((50, 4)), np.ones((50, 4)), np.zeros(50), rng.random((50, 3))
    halves = Boxes(low, high, *rest).halves()
    inside = low + rng.random((50, 3)) * (high - low)
    first = ((inside >= halves.low[:50]) & (inside <= halves.high[:50])).all(axis=1)
    second = ((inside >= halves.low[50:]) & (inside <= halves.high[50:])).all(axis=1)
    assert (first | second).all()
    wide = (high > low).any(axis=1)
    assert ((halves.high - halves.low).sum(axis=1)[:50] < (high - low).sum(axis=1))[wide].all()


def test_an_interrupted_search_can_be_resumed() -> None:
    network = network_of(1, 3)
    lead = network.evaluate(grid(3)) @ np.array([1.0, -1.0])
    question = question_of(
        network, np.array([[1.0, -1.0]]), np.array([lead.max() + 0.05 * np.ptp(lead)])
    )
    search = InputSplit(question)
    first = search.advance(0.0)
    assert isinstance(first, Unknown) == (search.bounded == 1 and bool(search.open))
    assert isinstance(search.advance(np.inf), Unsat)
    again = InputSplit(question)
    assert isinstance(again.advance(np.inf), Unsat)
    assert again.bounded == search.bounded
