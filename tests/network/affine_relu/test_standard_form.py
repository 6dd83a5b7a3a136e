"""The standard form: the same function, its gradients, and its bounds on rounding."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from exact_networks import evaluate_exactly, exact, random_network
from layered_networks import NETWORKS
from small_networks import is_chain

from marapatch.network.affine_relu import standard_form
from marapatch.network.cut import pattern
from marapatch.network.graph import dense_network

SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks_keep_their_function(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    x = rng.normal(size=(50, 4))
    expected = network.evaluate(x)
    scale = np.abs(expected).max() + 1.0
    for values in network.values(x).values():
        scale = max(scale, np.abs(values).max())
    np.testing.assert_allclose(
        network.standard_form.evaluate(x), expected, rtol=0, atol=1e-11 * scale
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_pullback_is_the_gradient(seed: int) -> None:
    rng = np.random.default_rng(seed)
    form = random_network(rng, depth=3).standard_form
    x = rng.normal(size=(1, 4))
    direction = rng.normal(size=(1, form.outputs))
    phases = pattern(form, x)
    gradient = form.pullback(phases, direction)[0]
    step = 1e-7
    for i in range(4):
        shift = step * np.eye(4)[i : i + 1]
        if any(
            (a != b).any() or (a != c).any()
            for a, b, c in zip(
                phases, pattern(form, x + shift), pattern(form, x - shift), strict=True
            )
        ):
            continue  # a kink lies within the step
        difference = (form.evaluate(x + shift) - form.evaluate(x - shift)) @ direction[0]
        slack = 1e-4 * (1.0 + np.abs(gradient).max())
        assert difference[0] / (2 * step) == pytest.approx(gradient[i], abs=slack)  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_evaluation_error_bounds_the_error(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    network = random_network(rng, depth=6)
    form = network.standard_form
    for _ in range(3):
        x = rng.normal(size=4)
        outputs, bound = form.evaluation_error(x)
        np.testing.assert_array_equal(outputs, form.evaluate(x[None])[0])
        truth = evaluate_exactly(network, exact(x))
        for value, limit, true in zip(outputs, bound, truth, strict=True):
            assert abs(Fraction(float(value)) - true) <= Fraction(float(limit))
        largest = max(np.abs(v).max() for v in network.values(x).values()) + 1.0
        assert bound.max() <= 1e-7 * largest


def test_evaluation_error_where_rounding_decides_a_phase() -> None:
    """0.1 + 0.2 - 0.3 is 2^-55 exactly and 2^-54 in float64; what follows enlarges it."""
    big = 2.0**60
    network = dense_network(
        [np.array([[1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]), np.array([[big, big]])],
        [np.zeros(2), np.zeros(1)],
    )
    x = np.array([0.1, 0.2, 0.3])
    outputs, bound = network.standard_form.evaluation_error(x)
    (truth,) = evaluate_exactly(network, exact(x))
    assert truth > 0
    assert Fraction(float(outputs[0])) != truth
    assert abs(Fraction(float(outputs[0])) - truth) <= Fraction(float(bound[0]))


@pytest.mark.parametrize("share", [1.125, 2.0, 100.0])
@pytest.mark.parametrize("exponent", [-62, -80])
def test_evaluation_error_where_an_open_phase_spoils_a_cancellation(
    exponent: int, share: float
) -> None:
    """relu(h) - relu(h + d), h = (x + 1) - 1 + y: while both are active, what h is off by cancels.
    Where h is computed positive but truly negative, it does not.

    1 swallows x. Every weight is 1 or -1 and the sums that follow are exact, so that h is computed
    as y in any order, with fused multiplication or without: the same on every machine.
    """
    d = 2.0**-44
    network = dense_network(
        [
            np.eye(2),
            np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]),
            np.array([[1.0, -1.0, 1.0], [1.0, -1.0, 1.0]]),
            np.array([[1.0, -1.0]]),
        ],
        [np.array([1.0, 0.0]), np.array([-1.0, 1.0, 0.0]), np.array([0.0, d]), np.zeros(1)],
    )
    y = 2.0**exponent
    x = np.array([-share * y, y])
    form = network.standard_form
    assert form.pre_activations(x[None])[0][2][0, 0] == y
    assert Fraction(x[0]) + Fraction(x[1]) < 0
    outputs, bound = form.evaluation_error(x)
    (true,) = evaluate_exactly(network, exact(x))
    assert abs(Fraction(float(outputs[0])) - true) <= Fraction(float(bound[0]))
    assert outputs[0] == -d  # as if both phases were active; truly only the second is
    assert true == -(Fraction(x[0]) + Fraction(x[1]) + Fraction(d))


def test_evaluation_error_of_a_deep_network_lets_signs_cancel() -> None:
    rng = np.random.default_rng(5)
    sizes = (20, *(50,) * 7, 3)
    pairs = list(pairwise(sizes))
    weights = [rng.normal(size=(n, m)) * np.sqrt(2.0 / m) for m, n in pairs]
    network = dense_network(weights, [np.zeros(n) for _, n in pairs])
    x = rng.normal(size=20)
    outputs, bound = network.standard_form.evaluation_error(x)
    truth = evaluate_exactly(network, exact(x))
    errors = [
        abs(Fraction(float(value)) - true) for value, true in zip(outputs, truth, strict=True)
    ]
    assert all(e <= Fraction(float(b)) for e, b in zip(errors, bound, strict=True))
    assert bound.max() < 1e-11


def test_chains_and_skips() -> None:
    chain = dense_network([np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2)])
    assert is_chain(chain.standard_form)
    assert not is_chain(NETWORKS["sum"][0].standard_form)


def test_the_error_of_many_outputs_needs_no_square_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sources of a first layer are the image: as many outputs as pixels, and no ReLU."""
    sizes: list[int] = []
    eye = np.eye
    monkeypatch.setattr(np, "eye", lambda n, *rest: (sizes.append(n), eye(n, *rest))[1])
    rng = np.random.default_rng(0)
    first, last = rng.normal(size=(4, 3)), rng.normal(size=(6, 4))
    linear = dense_network([last @ first], [np.zeros(6)]).standard_form
    bent = dense_network([first, last], [np.zeros(4), np.zeros(6)]).standard_form
    linear.evaluation_error(np.ones(3))
    assert sizes == []
    near = bent.evaluation_error(np.ones(3))[1]
    assert sizes == [6]
    monkeypatch.setattr(standard_form, "MOST_GRADIENTS", 23)
    far = bent.evaluation_error(np.ones(3))[1]
    assert sizes == [6]
    assert (far >= near).all()
    assert (near > 0.0).all()
