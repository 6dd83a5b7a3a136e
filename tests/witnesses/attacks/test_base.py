"""The laws of every attack: near the optimum where it is known, never wrong about what it found."""

from __future__ import annotations

from time import monotonic

import numpy as np
import pytest
from attack_problems import DISTANCES, check, decided, random_problem, relu_network

from marapatch.errors import InputError
from marapatch.network.graph import dense_network
from marapatch.problem.norm import Norm
from marapatch.witnesses.attacks import (
    Attack,
    BasicIterativeMethod,
    CarliniWagner,
    Cascade,
    FastGradientMethod,
    Objective,
    Problem,
)

ATTACKS: dict[str, Attack] = {
    "fgm": FastGradientMethod(),
    "bim": BasicIterativeMethod(steps=60),
    "carlini-wagner": CarliniWagner(steps=60),
    "cascade": Cascade(steps=40),
}


FACTORS = {
    ("fgm", Norm.LINF): 1.01,
    ("fgm", Norm.L1): 1.01,
    ("fgm", Norm.L2): 1.01,
    ("bim", Norm.LINF): 1.005,
    ("bim", Norm.L1): 1.01,
    ("bim", Norm.L2): 1.005,
    ("carlini-wagner", Norm.LINF): 1.02,
    ("carlini-wagner", Norm.L1): 1.1,
    ("carlini-wagner", Norm.L2): 1.02,
    ("cascade", Norm.LINF): 1.005,
    ("cascade", Norm.L1): 1.005,
    ("cascade", Norm.L2): 1.005,
}
"""How far above the optimum of an affine network each attack may end. For L1 Carlini-Wagner
spends part of its way on entries that are nearly as steep as the steepest one."""


EVERY = pytest.mark.parametrize("name", ATTACKS)


@EVERY
@DISTANCES
@pytest.mark.parametrize("targeted", [True, False])
@pytest.mark.parametrize("argmin", [True, False])
def test_affine_networks_are_attacked_within_the_stated_factor_of_the_optimum(
    name: str, distance: Norm, targeted: bool, argmin: bool
) -> None:
    """No box binds, so the optimum is gap / dual norm of the difference of the two rows."""
    rng = np.random.default_rng(1)
    weight, bias = rng.normal(size=(2, 30)), rng.normal(size=2)
    form = dense_network([weight], [bias]).standard_form
    inputs = rng.normal(size=(8, 30))
    labels = decided(form, inputs, argmin=argmin)
    outputs = form.evaluate(inputs)
    optimum = np.abs(outputs[:, 0] - outputs[:, 1]) / distance.dual(weight[1] - weight[0])
    objective = Objective.towards(1 - labels, argmin=argmin)
    if not targeted:
        objective = Objective.away_from(labels, argmin=argmin)
    box = np.float64(-100.0), np.float64(100.0)
    problem = Problem(form, inputs, *box, objective, distance, np.dtype(np.float64))
    result = ATTACKS[name].run(problem)
    check(problem, result)
    assert result.success.all()
    assert (result.distances >= optimum * (1.0 - 1e-9)).all()
    assert (result.distances <= optimum * FACTORS[name, distance]).all()


@EVERY
@pytest.mark.parametrize("distance", [Norm.L1, Norm.LINF])
def test_a_binding_box_is_respected_and_used(name: str, distance: Norm) -> None:
    """The steepest entry may go 0.1 only; the rest of the gap falls to the next one."""
    weight = np.array([[0.0, 0.0, 0.0], [4.0, 2.0, 1.0]])
    form = dense_network([weight], [np.array([1.0, 0.0])]).standard_form
    upper = np.array([0.1, 1.0, 1.0])
    problem = Problem(form, np.zeros((1, 3)), -upper, upper, Objective.towards([1]), distance)
    result = ATTACKS[name].run(problem)
    check(problem, result)
    optimum = 0.1 + 0.6 / 2.0 if distance is Norm.L1 else 0.6 / 3.0
    assert optimum <= result.distances[0] <= 1.1 * optimum


@EVERY
@DISTANCES
@pytest.mark.parametrize(("targeted", "argmin"), [(True, False), (False, False), (True, True)])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_found_on_relu_networks_holds(
    name: str, distance: Norm, targeted: bool, argmin: bool, seed: int
) -> None:
    problem = random_problem(seed, distance, targeted=targeted, argmin=argmin)
    result = ATTACKS[name].run(problem)
    check(problem, result)
    if name == "cascade" and not targeted:
        assert result.success.any()


@EVERY
@DISTANCES
def test_runs_repeat(name: str, distance: Norm) -> None:
    problem = random_problem(0, distance)
    first, second = ATTACKS[name].run(problem), ATTACKS[name].run(problem)
    assert np.array_equal(first.inputs, second.inputs, equal_nan=True)
    assert np.array_equal(first.distances, second.distances)


@pytest.mark.parametrize(
    "attack", [FastGradientMethod(), BasicIterativeMethod(steps=40, restarts=2), CarliniWagner(40)]
)
@DISTANCES
def test_a_batch_is_attacked_as_its_inputs_are_one_by_one(attack: Attack, distance: Norm) -> None:
    problem = random_problem(2, distance)
    together = attack.run(problem)
    alone = [attack.run(problem.take(np.array([i]))) for i in range(len(problem))]
    single = np.array([r.distances[0] for r in alone])
    assert np.array_equal(np.isfinite(single), together.success)
    # Sums of products round differently in batches of another size.
    assert single == pytest.approx(together.distances, rel=1e-2)


@EVERY
@DISTANCES
def test_an_incumbent_is_never_worsened(name: str, distance: Norm) -> None:
    problem = random_problem(3, distance)
    incumbent = Cascade(steps=60, seed=5).run(problem)
    result = ATTACKS[name].run(problem, incumbent)
    assert (result.distances <= incumbent.distances).all()
    check(problem, result)


@EVERY
@DISTANCES
@pytest.mark.parametrize("targeted", [True, False])
def test_a_constant_network_gives_no_success(name: str, distance: Norm, targeted: bool) -> None:
    form = dense_network([np.zeros((3, 4))], [np.array([1.0, 0.0, 0.5])]).standard_form
    objective = Objective.towards([1]) if targeted else Objective.away_from([0])
    result = ATTACKS[name].run(
        Problem(form, np.full((1, 4), 0.5), np.zeros(4), np.ones(4), objective, distance)
    )
    assert not result.success.any()
    assert np.isnan(result.inputs).all()
    assert result.distances[0] == np.inf


@EVERY
@DISTANCES
def test_a_tie_is_no_success(name: str, distance: Norm) -> None:
    """At the corner of the box the target draws level with its rival, and no more."""
    form = dense_network([np.array([[0.0], [1.0]])], [np.array([1.0, 0.0])]).standard_form
    problem = Problem(form, np.zeros((1, 1)), 0.0, 1.0, Objective.towards([1]), distance)
    assert form.evaluate(np.ones((1, 1)))[0].tolist() == [1.0, 1.0]
    assert not ATTACKS[name].run(problem).success.any()


@EVERY
@DISTANCES
def test_masked_everywhere_gives_no_success(name: str, distance: Norm) -> None:
    problem = random_problem(1, distance)
    fixed = Problem(
        problem.form, problem.centres, problem.centres, problem.centres, problem.objective, distance
    )
    assert not ATTACKS[name].run(fixed).success.any()


@EVERY
@DISTANCES
def test_an_input_that_is_a_success_already_is_at_distance_zero(name: str, distance: Norm) -> None:
    form = relu_network(0).standard_form
    inputs = np.full((1, 8), 0.5)
    objective = Objective.towards(decided(form, inputs))
    result = ATTACKS[name].run(Problem(form, inputs, 0.0, 1.0, objective, distance))
    assert result.distances[0] == pytest.approx(0.0, abs=1e-300)
    assert np.array_equal(result.inputs[0], inputs[0])


@EVERY
@DISTANCES
def test_an_unbounded_box_is_searched_outward(name: str, distance: Norm) -> None:
    form = dense_network([np.array([[0.0, 0.0], [1.0, 1e-3]])], [np.array([1e3, 0.0])])
    problem = Problem(
        form.standard_form, np.zeros((1, 2)), -np.inf, np.inf, Objective.towards([1]), distance
    )
    result = ATTACKS[name].run(problem)
    check(problem, result)
    assert result.distances[0] == pytest.approx(1e3, rel=0.1)


@EVERY
@DISTANCES
def test_the_radius_and_the_margin_are_kept(name: str, distance: Norm) -> None:
    free = random_problem(8, distance)
    known = Cascade(steps=60).run(free)
    rows = np.flatnonzero(known.success & (known.distances > 0.0))
    assert rows.size
    small, large = 0.5 * known.distances[rows], 2.0 * known.distances[rows]
    limited = [
        Problem(
            free.form,
            free.centres[rows],
            free.lower[rows],
            free.upper[rows],
            free.objective.take(rows),
            distance,
            margin=0.01,
            radius=radius,
        )
        for radius in (small, large)
    ]
    results = [ATTACKS[name].run(problem) for problem in limited]
    for problem, result in zip(limited, results, strict=True):
        check(problem, result)
    assert (results[0].distances[results[0].success] <= small[results[0].success]).all()
    if name == "cascade":
        assert results[1].success.any()


def test_the_time_given_is_kept() -> None:
    problem = random_problem(0, Norm.LINF)
    endless = BasicIterativeMethod(steps=10**7, restarts=1)
    started = monotonic()
    result = endless.run(problem, deadline=started + 0.2)
    check(problem, result)
    assert result.gradients < 10**7


def test_a_network_that_ends_in_a_relu_is_not_flat_for_attacks() -> None:
    """All but one class lie at 0 and have no gradient; the target must rise from below."""
    network = dense_network([np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]), np.eye(3)],
                            [np.array([0.5, -0.5, -0.1]), np.zeros(3)])  # fmt: skip
    form = network.standard_form
    inputs = np.array([[0.5, 0.0]])
    assert form.evaluate(inputs)[0].tolist() == [1.0, 0.0, 0.0]
    for target in (1, 2):
        problem = Problem(form, inputs, -1.0, 1.0, Objective.towards([target]), Norm.LINF)
        for name, attack in ATTACKS.items():
            result = attack.run(problem)
            check(problem, result)
            assert result.success.all() or name == "fgm"


@pytest.mark.parametrize(
    "make",
    [
        lambda: FastGradientMethod(radii=1),
        lambda: BasicIterativeMethod(steps=0),
        lambda: BasicIterativeMethod(contraction=1.0),
        lambda: CarliniWagner(searches=0),
        lambda: CarliniWagner(constant=0.0),
        lambda: Cascade(restarts=0),
        lambda: Objective.towards([0.5]),
    ],
)
def test_unusable_options_are_refused(make: object) -> None:
    with pytest.raises(InputError):
        make()  # type: ignore[operator]
