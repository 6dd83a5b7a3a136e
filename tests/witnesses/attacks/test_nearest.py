"""The attacks one after another."""

from __future__ import annotations

from pathlib import Path

import exact_optimum
import numpy as np
import pytest
from attack_problems import check, decided, random_problem, relu_network
from small_networks import small_case

from marapatch.network.graph import dense_network
from marapatch.network.load import load
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm
from marapatch.witnesses.attacks import (
    BasicIterativeMethod,
    CarliniWagner,
    FastGradientMethod,
    Objective,
    Problem,
    nearest,
)


def test_nearest_repeats_by_its_seed_and_counts_its_work() -> None:
    problem = random_problem(4, Norm.L1)
    first, second = (nearest(problem, steps=30, seed=3) for _ in range(2))
    assert np.array_equal(first.distances, second.distances)
    assert first.gradients == pytest.approx(1 + 30 * (16 + 2))
    late = nearest(problem, steps=30, seconds=0.0)
    check(problem, late)
    assert late.gradients < first.gradients


def test_untargeted_search_is_no_farther_than_the_best_target() -> None:
    """Two rivals: the nearer in margin is not the nearer in distance."""
    weight = np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 10.0]])
    form = dense_network([weight], [np.array([1.0, 0.9, 0.0])]).standard_form
    problem = Problem(form, np.zeros((1, 2)), -5.0, 5.0, Objective.away_from([0]), Norm.L2)
    found = nearest(problem)
    assert found.distances[0] == pytest.approx(0.1, rel=1e-2)
    assert FastGradientMethod().run(problem).distances[0] == pytest.approx(1.0, rel=1e-2)


def test_a_ball_is_attacked_for_all_targets_at_once() -> None:
    form = relu_network(0).standard_form
    centre = np.full(8, 0.5)
    ball = Ball(centre, np.zeros(8), np.ones(8), Norm.L1, 8.0)
    targets = [c for c in range(4) if c != decided(form, centre[None])[0]]
    problem = Problem.of_ball(form, ball, Objective.towards(targets), np.dtype(np.float32), 0.01)
    assert problem.distance is Norm.L1
    result = nearest(problem, steps=40)
    check(problem, result)
    assert result.success.any()


@pytest.mark.parametrize("kind", ["plain", "corner"])
def test_nothing_is_nearer_than_the_exact_optimum_and_most_is_near_it(kind: str) -> None:
    ratios = []
    for seed in range(8):
        case = small_case(seed, (kind,))
        form, ball = case.network.standard_form, case.ball.with_radius(case.ball.covering_radius)
        optimum = exact_optimum.nearest(form, ball, case.condition)
        objective = Objective.towards([case.target])
        problem = Problem.of_ball(form, ball, objective, np.dtype(np.float64))
        result = nearest(problem, steps=60)
        check(problem, result)
        if optimum is None:
            assert not result.success.any()
        elif optimum.distance > 0:
            ratios.append(float(result.distances[0]) / float(optimum.distance))
    assert min(ratios) >= 1.0 - 1e-9
    assert np.mean(np.array(ratios) < 1.01) >= 0.75


def test_mnist_networks_trained_with_squared_error_are_attacked(data_dir: Path) -> None:
    """mnist_fc 256x2: few active neurons, outputs near 0 and 1; attacked for its first 5 images."""
    network = load(data_dir / "mnist_fc" / "onnx" / "mnist-net_256x2.onnx")
    with np.load(data_dir / "mnist" / "mnist_test.npz") as data:
        images, labels = data["images"][:5].reshape(5, -1), data["labels"][:5].astype(np.int64)
    pixels = (images / np.float32(255)).astype(np.float32).astype(np.float64)
    form = network.standard_form
    assert np.array_equal(decided(form, pixels), labels)
    problem = Problem(form, pixels, 0.0, 1.0, Objective.away_from(labels), Norm.LINF)
    for attack in (BasicIterativeMethod(), CarliniWagner()):
        result = attack.run(problem)
        check(problem, result)
        assert result.success.all()
        assert (result.distances < 0.2).all()
    others = [[c for c in range(10) if c != label] for label in labels]
    every = problem.take(np.repeat(np.arange(5), 9), Objective.towards(np.concatenate(others)))
    targeted = BasicIterativeMethod().run(every)
    check(every, targeted)
    assert targeted.success.mean() > 0.9
    assert (result.distances <= 1.5 * targeted.distances.reshape(5, 9).min(axis=1)).all()
