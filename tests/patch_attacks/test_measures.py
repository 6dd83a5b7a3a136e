"""The measures of adversarial inputs against closed forms and independent computations."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan, log, log2, sqrt

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from marapatch.errors import InputError
from marapatch.network.graph import dense_network
from marapatch.patch_attacks.measures import (
    Transfer,
    class_entropy,
    decisions,
    defect_detection,
    distances,
    frechet_distance,
    pielou,
    pixels_changed,
    transferability,
)
from marapatch.problem.conditions import Rule

RNG = np.random.default_rng(6)


def test_distances_of_a_pair_worked_by_hand() -> None:
    far = distances([[0.5, 0.5, 0.0, 1.0]], [[0.5, 0.75, 0.0, 0.0]])
    assert far.l0.tolist() == [2]
    assert far.l1.tolist() == [1.25]
    assert far.l2.tolist() == [sqrt(1.0625)]
    assert far.linf.tolist() == [1.0]


def test_distances_of_shaped_inputs_row_by_row() -> None:
    before = RNG.uniform(size=(5, 3, 4, 4))
    after = before.copy()
    after[2, 1, 0, 0] += 0.25
    far = distances(before, after)
    assert far.l0.tolist() == [0, 0, 1, 0, 0]
    assert np.count_nonzero(far.linf) == 1


def test_a_pixel_of_several_colours_counts_once() -> None:
    before = np.zeros((2, 4, 4, 3))
    after = before.copy()
    after[0, 1, 1, :] = 0.5
    after[0, 2, 2, 0] = 0.5
    after[1, 3, 3, 1] = 0.5
    assert pixels_changed(before, after, channel_axis=-1).tolist() == [2, 1]
    assert pixels_changed(before, after).tolist() == [4, 1]
    first = (np.moveaxis(a, 3, 1) for a in (before, after))
    assert pixels_changed(*first, channel_axis=0).tolist() == [2, 1]


def test_defect_detection_is_a_share() -> None:
    assert defect_detection([True, False, True, True]) == 0.75
    assert isnan(defect_detection(np.zeros(0, dtype=bool)))


EVEN = [
    ([0, 1, 2, 3], 4, 1.0, log(4)),
    ([7] * 9, 10, 0.0, 0.0),
    ([0, 0, 1, 1], 10, log(2) / log(10), log(2)),
    ([0, 0, 0, 1], 2, 2.0 - 0.75 * log2(3), (2.0 - 0.75 * log2(3)) * log(2)),
]


@pytest.mark.parametrize(("found", "classes", "even", "entropy"), EVEN)
def test_evenness_worked_by_hand(
    found: list[int], classes: int, even: float, entropy: float
) -> None:
    assert pielou(found, classes) == pytest.approx(even, abs=1e-15)
    assert class_entropy(found, classes) == pytest.approx(entropy, abs=1e-15)
    assert class_entropy(found, classes, base=2.0) == pytest.approx(entropy / log(2), abs=1e-15)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60))
def test_evenness_is_between_0_and_1_and_does_not_depend_on_order_or_names(
    found: list[int],
) -> None:
    even = pielou(found, 10)
    assert 0.0 <= even <= 1.0 + 1e-15
    assert pielou(found[::-1], 10) == even
    assert pielou([9 - c for c in found], 10) == pytest.approx(even, abs=1e-12)


def test_evenness_over_chosen_classes_leaves_out_the_others() -> None:
    """As the program of Harel-Canada et al. counts: only classes among the labels."""
    assert pielou([0, 1, 1, 5, 5, 5], [0, 1]) == pytest.approx(pielou([0, 1, 1], 2))
    assert isnan(pielou([5, 5], [0, 1]))
    assert isnan(pielou([], 10))


def independent(one: np.ndarray, other: np.ndarray) -> float:
    """The formula as it is usually written, with a matrix root."""
    c1, c2 = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = scipy.linalg.sqrtm(c1 @ c2)
    gap = one.mean(axis=0) - other.mean(axis=0)
    return float(gap @ gap + np.trace(c1 + c2 - 2.0 * root.real))


def test_frechet_distance_agrees_with_the_usual_formula() -> None:
    mixed = RNG.normal(size=(6, 6))
    one, other = RNG.normal(size=(200, 6)) @ mixed, 0.5 + 2.0 * RNG.normal(size=(300, 6))
    assert frechet_distance(one, other) == pytest.approx(independent(one, other), rel=1e-9)


@given(st.integers(0, 1000))
@settings(max_examples=30)
def test_frechet_distance_is_symmetric_moves_with_the_mean_and_is_0_of_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, inputs = int(rng.integers(1, 8)), int(rng.integers(2, 12))
    one, other = rng.normal(size=(inputs, features)), rng.normal(size=(inputs + 3, features))
    far = frechet_distance(one, other)
    assert far == pytest.approx(frechet_distance(other, one), rel=1e-9, abs=1e-12)
    shift = rng.normal(size=features)
    assert frechet_distance(one, one + shift) == pytest.approx(shift @ shift, rel=1e-9)
    assert frechet_distance(one, one[::-1]) <= 1e-12 * (1.0 + np.trace(np.atleast_2d(one.T @ one)))


def test_frechet_distance_in_one_dimension_is_that_of_two_intervals() -> None:
    """``(m1 - m2)^2 + (s1 - s2)^2`` for normal distributions on the line."""
    one, other = np.array([[0.0], [2.0]]), np.array([[1.0], [7.0]])
    s1, s2 = sqrt(2.0), sqrt(18.0)
    assert frechet_distance(one, other) == pytest.approx((1.0 - 4.0) ** 2 + (s1 - s2) ** 2)


def test_frechet_distance_of_singular_covariances() -> None:
    """Fewer inputs than features, in two planes at right angles: the root's trace is 0."""
    one, other = np.zeros((5, 50)), np.zeros((7, 50))
    one[:, :3], other[:, 3:6] = RNG.normal(size=(5, 3)), RNG.normal(size=(7, 3))
    gap = one.mean(axis=0) - other.mean(axis=0)
    traces = one.var(axis=0, ddof=1).sum() + other.var(axis=0, ddof=1).sum()
    assert frechet_distance(one, other) == pytest.approx(gap @ gap + traces, rel=1e-12)


def test_transferability_counts_changed_decisions_of_the_other_network() -> None:
    other = dense_network([np.array([[1.0], [-1.0]])], [np.zeros(2)])  # 0 where x >= 0
    before, after = [[1.0], [1.0], [-1.0], [2.0]], [[-1.0], [0.5], [1.0], [-3.0]]
    found = transferability(other, before, after, [0, 0, 0, 0])
    assert found == Transfer(inputs=4, changed=3, agreed=3, fooled=2)
    assert found.rate == 0.75
    assert found.rate_agreed == pytest.approx(2 / 3)
    assert isnan(Transfer(0, 0, 0, 0).rate)


def test_decisions_by_either_rule_and_in_batches() -> None:
    network = dense_network([RNG.normal(size=(4, 3))], [RNG.normal(size=4)])
    inputs = RNG.normal(size=(1000, 3))
    outputs = network.evaluate(inputs)
    assert (decisions(network, inputs) == outputs.argmax(axis=1)).all()
    assert (decisions(network, inputs, Rule.ARGMIN) == outputs.argmin(axis=1)).all()
    assert decisions(network, np.zeros((0, 3))).size == 0


BAD: list[tuple[str, Callable[[], object]]] = [
    ("must both be", lambda: distances([[0.0]], [[0.0], [1.0]])),
    ("must both be", lambda: distances([0.0], [1.0])),
    ("channel axis 3", lambda: pixels_changed(np.zeros((1, 2, 2)), np.zeros((1, 2, 2)), 3)),
    ("booleans", lambda: defect_detection([1, 0])),
    ("among the classes 0..9", lambda: pielou([10], 10)),
    ("among the classes 0..9", lambda: pielou([-1], 10)),
    ("whole numbers", lambda: pielou([0.5], 10)),
    ("1 classes", lambda: pielou([0], 1)),
    ("base", lambda: class_entropy([0], 2, base=1.0)),
    ("at least 2", lambda: frechet_distance([[1.0]], [[1.0], [2.0]])),
    ("finite", lambda: frechet_distance([[1.0], [np.nan]], [[1.0], [2.0]])),
    ("do not compare", lambda: frechet_distance(np.zeros((2, 3)), np.zeros((2, 4)))),
    ("do not match", lambda: transferability(_TINY, [[0.0]], [[1.0]], [0, 1])),
    ("not (n, 1)", lambda: decisions(_TINY, np.zeros((2, 3)))),
]


_TINY = dense_network([np.ones((2, 1))], [np.zeros(2)])


@pytest.mark.parametrize(("message", "call"), BAD, ids=[f"{i} {m}" for i, (m, _) in enumerate(BAD)])
def test_bad_input(message: str, call: Callable[[], object]) -> None:
    with pytest.raises(InputError, match=message.replace("(", r"\(").replace(")", r"\)")):
        call()
