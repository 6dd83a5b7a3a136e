"""Products with interval vectors, however few entries the matrix has."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from marapatch.bounds import backward as relaxation
from marapatch.bounds import interval
from marapatch.bounds.concretise import Concretiser, concretiser_of
from marapatch.bounds.interval import interval_image
from marapatch.network.affine_relu.standard_form import AffineMap
from marapatch.problem.ball import Ball
from marapatch.problem.norm import PROVED, Norm


@pytest.mark.parametrize("share", [0.01, 0.5])
def test_a_product_with_few_entries_is_the_same(share: float) -> None:
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(30, 40)) * (rng.random((30, 40)) < share)
    weight = rng.normal(size=(40, 50)) * (rng.random((40, 50)) < 0.2)
    expected = rows @ weight
    assert np.allclose(relaxation._product(rows, sp.csr_array(weight)), expected, atol=1e-12)
    assert np.array_equal(relaxation._product(rows, weight), expected)


@pytest.mark.parametrize("norm", PROVED, ids=lambda norm: norm.value)
def test_sparse_rows_are_bounded_on_their_own_inputs(
    norm: Norm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As tightly as over all inputs, for a small part of the work."""
    rng = np.random.default_rng(3)
    rows, inputs = 200, 500
    weight = np.zeros((rows, inputs))
    for i in range(rows):  # windows that move along, as a convolution's do
        weight[i, 2 * i : 2 * i + 9] = rng.normal(size=min(9, inputs - 2 * i))
    centre = rng.uniform(0.2, 0.8, size=inputs)
    ball = Ball(centre, np.zeros(inputs), np.ones(inputs), norm, 0.3)
    asked: list[int] = []
    minimum = Concretiser.minimum

    def counted(self: Concretiser, a: np.ndarray, *more: np.ndarray) -> np.ndarray:
        asked.append(a.size)
        return minimum(self, a, *more)

    monkeypatch.setattr(Concretiser, "minimum", counted)
    sparse = interval._over_ball(sp.csr_array(weight), concretiser_of(ball))
    entries, asked[:] = sum(asked), []
    dense = interval._over_ball(weight, concretiser_of(ball))
    assert entries * 4 < sum(asked)
    for mine, other, outward in zip(sparse, dense, (-1.0, 1.0), strict=True):
        assert np.allclose(mine, other, rtol=1e-6, atol=1e-9)
        assert (outward * (mine - other) <= 1e-6 * np.abs(other)).all()
    for _ in range(200):
        step = rng.uniform(-0.3, 0.3, size=inputs) if norm is Norm.LINF else np.zeros(inputs)
        if norm is Norm.L1:
            step[rng.integers(inputs)] = rng.choice((-0.3, 0.3))
        z = weight @ np.clip(centre + step, 0.0, 1.0)
        assert (sparse[0] <= z).all()
        assert (z <= sparse[1]).all()


@pytest.mark.parametrize("norm", PROVED)
def test_a_sparse_layer_that_takes_nothing_of_the_input(norm: Norm) -> None:
    ball = Ball(np.array([0.5, 0.25]), np.zeros(2), np.ones(2), norm, 0.125)
    bias = np.array([1.0, 0.0, -2.0])
    layer = AffineMap((0,), (sp.csr_array((3, 2)),), bias, (None,), np.zeros(3))
    low, high = interval_image(layer, [ball.enclosing_box], concretiser_of(ball))
    assert low == pytest.approx(bias, abs=1e-12)
    assert high == pytest.approx(bias, abs=1e-12)
    assert ((low <= bias) & (bias <= high)).all()
