"""The attacks: near the optimum where it is known, and never wrong about what they found."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from time import monotonic

import exact_optimum
import numpy as np
import pytest
from small_networks import small_case

from marapatch.errors import InputError
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.graph import Network, dense_network
from marapatch.network.load import load
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm
from marapatch.witnesses.attacks import (
    Attack,
    AttackResult,
    BasicIterativeMethod,
    CarliniWagner,
    Cascade,
    FastGradientMethod,
    Objective,
    Problem,
    judge,
    nearest,
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
DISTANCES = pytest.mark.parametrize("distance", list(Norm))


def relu_network(seed: int, sizes: tuple[int, ...] = (8, 12, 12, 4)) -> Network:
    rng = np.random.default_rng(seed)
    pairs = list(pairwise(sizes))
    weights = [rng.normal(size=(b, a)) * np.sqrt(2.0 / a) for a, b in pairs]
    return dense_network(weights, [0.2 * rng.normal(size=b) for _, b in pairs])


def decided(form: StandardForm, inputs: np.ndarray, *, argmin: bool = False) -> np.ndarray:
    outputs = form.evaluate(inputs)
    return outputs.argmin(1) if argmin else outputs.argmax(1)


def random_problem(
    seed: int, distance: Norm, *, targeted: bool = True, argmin: bool = False, n: int = 5
) -> Problem:
    """Inputs of float32 in the unit box, a quarter of the entries masked."""
    form = relu_network(seed).standard_form
    rng = np.random.default_rng(seed + 1000)
    inputs = rng.uniform(size=(n, 8)).astype(np.float32).astype(np.float64)
    free = rng.random((n, 8)) > 0.25
    labels = decided(form, inputs, argmin=argmin)
    if targeted:
        objective = Objective.towards((labels + 1) % 4, argmin=argmin)
    else:
        objective = Objective.away_from(labels, argmin=argmin)
    lower, upper = np.where(free, 0.0, inputs), np.where(free, 1.0, inputs)
    return Problem(form, inputs, lower, upper, objective, distance)


def check(problem: Problem, result: AttackResult) -> None:
    """Everything a result claims, computed again from its vectors alone."""
    assert len(result) == len(problem)
    assert result.inputs.dtype == problem.dtype
    for i, found in enumerate(result.success):
        vector = result.inputs[i].astype(np.float64)
        if not found:
            assert np.isnan(vector).all()
            assert result.distances[i] == np.inf
            continue
        assert ((vector >= problem.lower[i]) & (vector <= problem.upper[i])).all()
        fixed = problem.lower[i] == problem.upper[i]
        assert np.array_equal(vector[fixed], problem.centres[i][fixed])
        scores = problem.form.evaluate(vector[None])[0] * (-1 if problem.objective.argmin else 1)
        c = problem.objective.classes[i]
        others = np.delete(scores, c).max()
        lead = scores[c] - others if problem.objective.targeted else others - scores[c]
        assert lead > problem.margin
        assert result.margins[i] == pytest.approx(lead, rel=1e-9)
        difference = vector - problem.centres[i]
        expected = {
            Norm.LINF: np.abs(difference).max(),
            Norm.L1: np.abs(difference).sum(),
            Norm.L2: np.sqrt(np.square(difference).sum()),
        }[problem.distance]
        assert result.distances[i] == pytest.approx(expected, rel=1e-12, abs=1e-300)
        assert result.distances[i] <= problem.radius[i]


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


def test_the_seed_matters_where_starts_are_random() -> None:
    problem = random_problem(0, Norm.L2)
    runs = [BasicIterativeMethod(steps=20, restarts=8, seed=s).run(problem) for s in (0, 1)]
    assert not np.array_equal(runs[0].distances, runs[1].distances)


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


@DISTANCES
def test_plain_gradient_descent_stays_at_the_radius_given(distance: Norm) -> None:
    free = random_problem(8, distance)
    radius = 1.5 * Cascade(steps=60).run(free).distances
    plain = BasicIterativeMethod(steps=60, search=False)
    problem = Problem(
        free.form, free.centres, free.lower, free.upper, free.objective, distance, radius=radius
    )
    finite = np.flatnonzero(np.isfinite(radius))
    result = plain.run(problem.take(finite))
    check(problem.take(finite), result)
    assert result.success.mean() >= 0.5
    with pytest.raises(InputError, match="finite radius"):
        plain.run(free)


def test_the_time_given_is_kept() -> None:
    problem = random_problem(0, Norm.LINF)
    endless = BasicIterativeMethod(steps=10**7, restarts=1)
    started = monotonic()
    result = endless.run(problem, deadline=started + 0.2)
    check(problem, result)
    assert result.gradients < 10**7


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


def test_smoothing_finds_a_target_whose_neuron_sleeps() -> None:
    """Class 1 needs a neuron that is inactive around the input: the true gradient is zero there."""
    weights = [np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([[0.0, 0.0], [10.0, 1e-6]])]
    form = dense_network(weights, [np.array([-1.2, 5.0]), np.array([1.0, 0.0])]).standard_form
    inputs = np.array([[0.25, 0.25]])
    problem = Problem(form, inputs, 0.0, 1.0, Objective.towards([1]), Norm.LINF)
    blind = BasicIterativeMethod(restarts=2, smoothing=0.0).run(problem)
    seeing = BasicIterativeMethod(restarts=2).run(problem)
    assert seeing.success.all()
    assert seeing.distances[0] <= 0.41
    assert not blind.success.any()


@pytest.mark.parametrize("targeted", [True, False])
@pytest.mark.parametrize("argmin", [True, False])
def test_directions_are_the_gradient_of_the_margin(targeted: bool, argmin: bool) -> None:
    rng = np.random.default_rng(0)
    outputs = rng.normal(size=(6, 5))
    objective = Objective(rng.integers(0, 5, 6), targeted, argmin)
    numeric = np.zeros(outputs.shape)
    for j in range(5):
        ahead, behind = outputs.copy(), outputs.copy()
        ahead[:, j] += 1e-6
        behind[:, j] -= 1e-6
        numeric[:, j] = (objective.margins(ahead) - objective.margins(behind)) / 2e-6
    exact = objective.directions(outputs)
    assert np.allclose(exact, numeric, atol=1e-6)
    assert np.allclose(objective.directions(outputs, np.zeros(6)), exact)
    shared = objective.directions(outputs, np.full(6, 1e6))
    assert np.allclose(np.abs(shared).sum(axis=1), 2.0)
    assert np.allclose(shared.sum(axis=1), 0.0)
    assert (np.count_nonzero(shared, axis=1) == 5).all()


def test_the_judge_believes_nothing() -> None:
    problem = random_problem(0, Norm.LINF, n=2)
    honest = Cascade(steps=40).run(problem)
    assert honest.success.all()
    lies = np.stack([problem.centres[0], np.full(8, np.nan), np.full(8, 1e9), np.full(8, np.inf)])
    judged = judge(problem, lies, np.zeros(4, dtype=np.int64))
    check(problem, judged)
    swapped = judge(problem, honest.inputs[::-1], np.array([0, 1]))
    check(problem, swapped)
    both = judge(problem, np.concatenate([lies, honest.inputs]), np.array([0, 0, 0, 0, 0, 1]))
    assert (both.distances <= honest.distances).all()
    nothing = judge(problem, np.zeros((0, 8)), np.zeros(0, dtype=np.int64))
    assert not nothing.success.any()


def test_rounding_to_the_input_type_stays_in_the_box_and_may_cost_the_success() -> None:
    """The decision changes only between two neighbouring float32 numbers: no witness there."""
    half = np.float64(np.float32(0.1)) + 1e-10
    weights = [np.array([[1.0], [1.0]]), np.array([[0.0, 0.0], [1.0, -2.0]])]
    network = dense_network(weights, [np.array([-half, -half - 1e-10]), np.array([5e-11, 0.0])])
    form = network.standard_form
    peak = np.array([[half + 1e-10]])
    outputs = form.evaluate(peak)[0]
    assert outputs[1] > outputs[0]
    sides = np.array([[0.0]]), 0.0, 0.1
    wide = np.array([[0.0]]), 0.0, 1.0
    double = Problem(form, *wide, Objective.towards([1]), dtype=np.dtype(np.float64))
    assert judge(double, peak, np.array([0])).success.all()
    single = Problem(form, *wide, Objective.towards([1]))
    assert not judge(single, peak, np.array([0])).success.any()
    boxed = Problem(form, *sides, Objective.towards([1]))
    assert boxed.snap(np.array([[0.5]]))[0, 0] <= 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective": Objective.towards([7])}, "class 7 does not exist"),
        ({"objective": Objective.towards([0, 1])}, "do not fit 2 classes"),
        ({"centres": np.full((1, 8), 2.0)}, "outside its box"),
        ({"centres": np.full((1, 8), np.nan)}, "NaN"),
        ({"radius": np.array(-1.0)}, "at least 0"),
        ({"margin": np.inf}, "at least 0"),
        (
            {
                "centres": np.full((1, 8), 0.1),
                "lower": np.full(8, 0.1),
                "upper": np.full(8, 0.1),
            },
            "holds no float32 number",
        ),
    ],
)
def test_unusable_problems_are_refused(change: dict, message: str) -> None:
    arguments = {
        "form": relu_network(0).standard_form,
        "centres": np.full((1, 8), 0.5),
        "lower": np.zeros(8),
        "upper": np.ones(8),
        "objective": Objective.towards([0]),
    }
    with pytest.raises(InputError, match=message) as caught:
        Problem(**{**arguments, **change})
    assert "\n" not in str(caught.value)


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
