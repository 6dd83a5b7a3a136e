"""The steps of the attacks: measured, steepest and projected, against their definitions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from marapatch.problem.norm import Norm, simplex_threshold

ALL = list(Norm)


def draw(seed: int, rows: int = 6, inputs: int = 9) -> tuple[np.ndarray, np.ndarray, tuple]:
    """A vector, a radius and a room a row; a fifth of the entries have no room on a side."""
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=(rows, inputs)) * (rng.random((rows, inputs)) > 0.1)
    sides = rng.uniform(0.0, 1.0, (2, rows, inputs)) * (rng.random((2, rows, inputs)) > 0.2)
    return vector, rng.uniform(0.01, 4.0, rows), (sides[0], sides[1])


def inside(
    distance: Norm, step: np.ndarray, radius: np.ndarray, displacement_bounds: tuple
) -> bool:
    in_box = (step >= -displacement_bounds[0]) & (step <= displacement_bounds[1])
    return bool(in_box.all() and (distance.measure(step) <= radius * (1.0 + 1e-9)).all())


@pytest.mark.parametrize("distance", ALL)
@pytest.mark.parametrize("seed", range(8))
def test_steepest_is_inside_and_no_feasible_step_rises_more(distance: Norm, seed: int) -> None:
    gradient, radius, displacement_bounds = draw(seed)
    step = distance.steepest(gradient, radius, displacement_bounds)
    assert inside(distance, step, radius, displacement_bounds)
    rng = np.random.default_rng(seed + 100)
    for _ in range(60):
        rival = distance.project(3.0 * rng.normal(size=gradient.shape), radius, displacement_bounds)
        assert ((gradient * rival).sum(1) <= (gradient * step).sum(1) + 1e-9).all()


@pytest.mark.parametrize("distance", ALL)
def test_steepest_gains_the_dual_norm_where_no_box_binds(distance: Norm) -> None:
    gradient, radius, _ = draw(3)
    free = np.full(gradient.shape, np.inf)
    gain = (gradient * distance.steepest(gradient, radius, (free, free))).sum(1)
    assert gain == pytest.approx(radius * distance.dual(gradient), rel=1e-9)


@pytest.mark.parametrize("distance", ALL)
@pytest.mark.parametrize("seed", range(8))
def test_projection_meets_the_variational_inequality(distance: Norm, seed: int) -> None:
    """p is the projection of z on a convex set C exactly if (z - p).(q - p) <= 0 for q in C."""
    vector, radius, displacement_bounds = draw(seed)
    point = distance.project(vector, radius, displacement_bounds)
    assert inside(distance, point, radius, displacement_bounds)
    rng = np.random.default_rng(seed + 200)
    for _ in range(60):
        other = distance.steepest(rng.normal(size=vector.shape), radius, displacement_bounds)
        assert (((vector - point) * (other - point)).sum(1) <= 1e-8).all()
    assert np.allclose(distance.project(point, radius, displacement_bounds), point, atol=1e-9)


@pytest.mark.parametrize("distance", ALL)
def test_no_radius_and_no_room_give_no_step(distance: Norm) -> None:
    vector, radius, displacement_bounds = draw(5)
    nothing = np.zeros_like(vector)
    for made in (distance.steepest, distance.project):
        assert not made(vector, np.zeros_like(radius), displacement_bounds).any()
        assert not made(vector, radius, (nothing, nothing)).any()
    assert not distance.steepest(nothing, radius, displacement_bounds).any()


@pytest.mark.parametrize("distance", ALL)
def test_random_steps_are_inside_and_differ(distance: Norm) -> None:
    _, radius, displacement_bounds = draw(7)
    generator = np.random.default_rng(0)
    first, second = (distance.random(generator, radius, displacement_bounds) for _ in range(2))
    assert inside(distance, first, radius, displacement_bounds)
    assert not np.array_equal(first, second)


def test_a_row_measures_as_one_difference_does() -> None:
    vector = np.random.default_rng(0).normal(size=(20, 50))
    for norm in Norm:
        measured = norm.measure(vector)
        assert measured == pytest.approx([norm.distance(row) for row in vector], rel=1e-15)


def test_measured_sums_are_never_understated() -> None:
    ones = np.full((1, 10), 0.1)
    assert Norm.L1.measure(ones)[0] >= 1.0
    assert Norm.L2.measure(np.array([[3e200, 4e200]]))[0] == pytest.approx(5e200)
    assert Norm.L2.measure(np.zeros((1, 3)))[0] == pytest.approx(0.0, abs=1e-300)


@pytest.mark.parametrize("distance", ALL)
def test_a_unit_step_attains_the_dual_norm_and_of_zeros_is_none(distance: Norm) -> None:
    gradient, _, _ = draw(4)
    gradient[0] = 0.0
    step = distance.attaining(gradient)
    assert step[0].tolist() == [0.0] * gradient.shape[1]
    assert distance.measure(step)[1:] == pytest.approx(1.0, rel=1e-12)
    assert (gradient * step).sum(1) == pytest.approx(distance.dual(gradient), rel=1e-12)
    assert np.array_equal(distance.attaining(gradient[2]), step[2])


def test_a_dual_norm_rounded_up_is_never_understated() -> None:
    rng = np.random.default_rng(5)
    rows = rng.uniform(0.0, 1.0, (40, 300)) * 10.0 ** rng.integers(-9, 9, (40, 300))
    above = Norm.LINF.dual_above(rows)
    for row, bound in zip(rows.tolist(), above.tolist(), strict=True):
        true = sum(map(Fraction, row))
        assert true <= Fraction(bound) <= true * (1 + Fraction(1, 10**12))
    assert (Norm.L1.dual_above(rows) >= rows.max(axis=1)).all()


@pytest.mark.parametrize("total", [0.25, 1.0, 3.0])
def test_what_is_above_the_threshold_has_the_sum(total: float) -> None:
    rng = np.random.default_rng(6)
    sizes = rng.uniform(0.0, 1.0, (20, 12))
    left = np.maximum(sizes - simplex_threshold(sizes, total)[:, None], 0.0)
    assert left.sum(axis=1) == pytest.approx(total, rel=1e-12)
    around = rng.uniform(-1e-3, 1e-3, (200, 12))
    around -= around.mean(axis=1, keepdims=True)  # other points with that sum are no nearer
    other = np.maximum(left[:1] + around, 0.0)
    other *= total / other.sum(axis=1, keepdims=True)
    assert (np.square(other - sizes[0]).sum(1) >= np.square(left[0] - sizes[0]).sum() - 1e-12).all()
