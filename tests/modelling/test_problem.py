from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from small_networks import branching_network

import marapatch.modelling as mp
from marapatch.errors import ContradictionError, InputError
from marapatch.modelling.deciding import _Descent, least_value
from marapatch.modelling.freezing import freeze
from marapatch.modelling.relaxing import relaxed
from marapatch.modelling.replaying import replay
from marapatch.network.graph import Network, dense_network
from marapatch.problem.conditions import Rule
from marapatch.problem.verdict import Evidence, Unknown
from marapatch.query.lowering import SHRINKAGE
from marapatch.query.query import Query
from marapatch.solvers import Answer, Candidate, HighsBackend, Infeasible, MarabouBackend
from marapatch.solvers.base import Undecided

RNG = np.random.default_rng(11)


@pytest.fixture(scope="module")
def marabou() -> Iterator[MarabouBackend]:
    with MarabouBackend() as backend:
        yield backend


def small_network(inputs: int = 3, outputs: int = 3, seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    sizes = [inputs, 5, 4, outputs]
    weights = [rng.normal(size=(b, a)) for a, b in itertools.pairwise(sizes)]
    return dense_network(weights, [0.3 * rng.normal(size=b) for b in sizes[1:]])


VALUES = {
    "relu": (mp.relu, lambda x: np.maximum(x, 0)),
    "leaky_relu": (lambda x: mp.leaky_relu(x, 0.25), lambda x: np.where(x > 0, x, 0.25 * x)),
    "leaky_relu falling": (lambda x: mp.leaky_relu(x, -2), lambda x: np.where(x > 0, x, -2 * x)),
    "clip": (lambda x: mp.clip(x, -0.25, 0.5), lambda x: np.clip(x, -0.25, 0.5)),
    "absolute": (mp.absolute, np.abs),
    "absolute native": (lambda x: mp.absolute(x, native=True), np.abs),
    "maximum": (
        lambda x: mp.maximum(x, x[::-1], 0.1),
        lambda x: np.maximum(np.maximum(x, x[::-1]), 0.1),
    ),
    "maximum native": (lambda x: mp.maximum(x, -x, native=True), np.abs),
    "largest": (mp.maximum, lambda x: x.max()),
    "minimum": (lambda x: mp.minimum(x, 0.25), lambda x: np.minimum(x, 0.25)),
    "norm1": (mp.norm1, lambda x: np.abs(x).sum()),
    "norm1 abs": (lambda x: mp.norm1(x, form="abs"), lambda x: np.abs(x).sum()),
    "norm1 relu": (lambda x: mp.norm1(x, form="relu"), lambda x: np.abs(x).sum()),
    "norm_inf": (mp.norm_inf, lambda x: np.abs(x).max()),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("side", ["<=", ">=", "="])
def test_functions_take_their_values(name: str, side: str) -> None:
    """With the argument fixed, a function can be bounded at its value and not beyond it."""
    function, meant = VALUES[name]
    for point in (np.array([0.5, -0.75, 0.0]), np.array([-0.25, -0.125, -1.0]), np.ones(3)):
        right = np.asarray(meant(point), float)
        for shift, feasible in ((0.0, True), (-0.05, side == ">="), (0.05, side == "<=")):
            problem = mp.Problem()
            x = problem.array("x", 3, -1, 1)
            value = function(x)
            assert value.shape == right.shape
            bound = right + shift
            problem.require(
                x == point,
                value <= bound
                if side == "<="
                else value >= bound
                if side == ">="
                else value == bound,
            )
            answer = problem.solve("highs", confirm=None)
            assert isinstance(answer, mp.Solution) is feasible, (name, side, point, answer)


@pytest.mark.parametrize("name", VALUES)
def test_extremes_over_a_box(name: str) -> None:
    """Minimum and maximum of a function over a box are those on a fine grid of it."""
    function, meant = VALUES[name]
    axis = np.linspace(-1, 1, 9)
    grid = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(-1, 3)
    values = np.array([np.asarray(meant(p), float).sum() for p in grid])
    for sign in (1.0, -1.0):
        problem = mp.Problem()
        x = problem.array("x", 3, -1, 1)
        goal = sign * function(x).sum()
        found = problem.minimise(goal, backend="highs", confirm=None, tolerance=1e-4)
        assert found.closed(1e-4), found
        assert found.lower - 1e-6 <= (sign * values).min() <= found.upper + 1e-6


def test_a_network_inside_a_problem_is_the_network(marabou: MarabouBackend) -> None:
    for network in (small_network(), branching_network(np.random.default_rng(4), 3, 3)):
        problem = mp.Problem()
        x = problem.array("x", 3, -1, 1)
        y = network(x)
        problem.require(x.sum() == 0.5, mp.decides(y, 1, margin=0.01))
        answer = problem.solve(marabou)
        samples = RNG.uniform(-1, 1, size=(4000, 3))
        samples[:, 2] = 0.5 - samples[:, 0] - samples[:, 1]
        samples = samples[np.abs(samples[:, 2]) <= 1]
        outputs = network.evaluate(samples)
        others = np.delete(outputs, 1, axis=1).max(axis=1)
        if (outputs[:, 1] >= others + 0.02).any():
            assert isinstance(answer, mp.Solution)
            out = network.evaluate(answer["x"])[0]
            assert out[1] >= np.delete(out, 1).max() + 0.01 - 1e-6
            assert answer["x"].sum() == pytest.approx(0.5, abs=1e-6)
            assert answer.violation <= answer.tolerance
        else:
            assert isinstance(answer, mp.NoSolution)


def test_two_copies_of_a_network(marabou: MarabouBackend) -> None:
    """Monotonicity in one input: the largest drop between two copies, against a grid."""
    network = small_network(2, 1, seed=5)
    problem = mp.Problem()
    x, y = problem.array("x", 2, 0, 1), problem.array("y", 2, 0, 1)
    problem.require(x[1] == y[1], x[0] <= y[0])
    found = problem.minimise(network(y)[0] - network(x)[0], tolerance=1e-3, backend=marabou)
    axis = np.linspace(0, 1, 41)
    values = network.evaluate(np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)).reshape(41, 41)
    drops = [values[:, j].min() * 0 + (values[:, j:] - values[:, [j]]).min() for j in range(41)]
    assert found.closed(1e-3)
    assert found.lower <= min(drops) + 1e-9
    assert found.upper <= min(drops) + 0.05


def test_ground_truth_in_a_script(marabou: MarabouBackend) -> None:
    """The nearest input decided otherwise, in both norms, no nearer than any sample."""
    network = small_network(3, 3, seed=2)
    start = np.array([0.5, 0.5, 0.5])
    label = int(network.evaluate(start).argmax())
    samples = RNG.uniform(0, 1, size=(20000, 3))
    away = network.evaluate(samples).argmax(axis=1) != label
    assert away.any()
    for norm, size in ((mp.norm_inf, np.inf), (mp.norm1, 1)):
        problem = mp.Problem()
        x = problem.array("x", 3, 0, 1)
        problem.require(mp.decides_other(network(x), label))
        found = problem.minimise(norm(x - start), tolerance=1e-3, backend=marabou)
        assert found.closed(1e-3)
        assert found.solution is not None
        nearest = np.linalg.norm(samples[away] - start, size, axis=1).min()
        assert found.lower <= nearest
        assert found.upper <= nearest + 1e-9
        assert np.linalg.norm(found.solution["x"] - start, size) == pytest.approx(found.upper)


def test_minimal_patch_of_the_last_layer(marabou: MarabouBackend) -> None:
    """For one input the least change is gap / (2 |h|_1) (ARCHITECTURE: 2)."""
    network = small_network(3, 3, seed=3)
    point = np.array([0.2, 0.9, 0.4])
    outputs = network.evaluate(point)[0]
    order = np.argsort(-outputs)
    label, target = int(order[0]), int(order[1])
    hidden = network.values(point)["relu1"][0]
    problem = mp.Problem()
    free = network.with_free_weights(problem, layer=-1, within=10.0)
    problem.require(mp.decides(free(point), target))
    found = problem.minimise(mp.norm_inf(free.weight_change), tolerance=1e-4, backend=marabou)
    wanted = (outputs[label] - outputs[target]) / (2 * np.abs(hidden).sum())
    assert found.lower <= wanted + 1e-9
    assert found.upper == pytest.approx(wanted, abs=2e-4)
    assert found.solution is not None
    patched = network.weights("affine2")[0] + found.solution["change"]
    changed = network.with_weights("affine2", patched).evaluate(point)[0]
    assert changed[target] >= changed.max() - 1e-6


def test_patch_of_a_middle_layer_with_bias(marabou: MarabouBackend) -> None:
    network = small_network(3, 3, seed=3)
    point = np.array([0.2, 0.9, 0.4])
    target = int(np.argsort(network.evaluate(point)[0])[-2])
    problem = mp.Problem()
    free = network.with_free_weights(problem, layer="affine1", within=2.0, bias=True)
    problem.require(mp.decides(free(point), target, margin=0.05))
    answer = problem.solve(marabou)
    assert isinstance(answer, mp.Solution)
    weight, bias = network.weights("affine1")
    patched = network.with_weights(
        "affine1", weight + answer["change"], bias + answer["change.bias"]
    )
    outputs = patched.evaluate(point)[0]
    assert outputs[target] >= np.delete(outputs, target).max() + 0.05 - 1e-6


def test_free_weights_refuse_what_is_not_linear() -> None:
    problem, network = mp.Problem(), small_network()
    free = network.with_free_weights(problem, layer=0)
    with pytest.raises(InputError, match=r"give numbers"):
        free(problem.array("x", 3, 0, 1))
    with pytest.raises(InputError, match=r"one input at a time"):
        free(np.zeros((2, 3)))
    with pytest.raises(InputError, match=r"layer 9: the network has 3"):
        network.with_free_weights(problem, layer=9)
    with pytest.raises(InputError, match=r"called with an expression"):
        network(np.zeros(3))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"4 entries, the network takes 3"):
        network(mp.Problem().array("x", 4))


def test_bounds_are_inferred_where_they_follow() -> None:
    problem = mp.Problem()
    x = problem.array("x", 2)
    y, z = problem.variable("y"), problem.variable("z", lower=-5)
    problem.require(mp.norm1(x - 1.0) <= 0.5, y == mp.relu(x[0]) - 3.0, z <= y)
    query = problem.query
    assert np.isfinite(query.lower).all()
    assert np.isfinite(query.upper).all()
    assert query.lower[0] == pytest.approx(0.5, abs=1e-9)
    assert query.upper[1] == pytest.approx(1.5, abs=1e-9)
    assert query.names[:4] == ("x[0]", "x[1]", "y", "z")


def test_bounds_are_inferred_through_networks() -> None:
    """x from its norm, then y from the network's outputs there, then z from y."""
    network, problem = small_network(), mp.Problem()
    x, y, z = problem.array("x", 3), problem.array("y", 3), problem.variable("z", 0)
    problem.require(y == network(x), mp.norm_inf(x) <= 0.5, z <= y[0] + 100.0)
    frozen = freeze(problem.model)
    assert frozen is not None
    low, high = (end[frozen.variables] for end in (frozen.query.lower, frozen.query.upper))
    for point in RNG.uniform(-0.5, 0.5, (50, 3)):
        values = np.concatenate([point, network.evaluate(point)[0], [0.0]])
        assert (low <= values).all()
        assert (values <= high).all()
    answer = problem.solve("highs")
    assert isinstance(answer, mp.Solution)
    assert answer["y"] == pytest.approx(network.evaluate(answer["x"])[0], abs=1e-5)


@pytest.mark.parametrize("side", ["lower", "upper"])
def test_bounds_that_do_not_follow_are_named(side: str) -> None:
    problem = mp.Problem()
    x = problem.array("x", (2, 2), -1, 1)
    free = problem.array("free", 2)
    problem.require(free[0] == x[0, 0], free[1] <= 2 if side == "lower" else free[1] >= 2)
    with pytest.raises(InputError, match=rf"free\[1\] has no finite {side} bound"):
        problem.solve()


def test_contradiction_by_intervals_alone() -> None:
    problem = mp.Problem()
    x = problem.variable("x", lower=0)
    problem.require(x <= -1)
    answer = problem.solve()
    assert isinstance(answer, mp.NoSolution)
    assert answer.evidence is Evidence.BOUND
    with pytest.raises(InputError, match="no solution"):
        _ = problem.query


def test_values_have_declared_names_and_shapes(marabou: MarabouBackend) -> None:
    problem = mp.Problem()
    x = problem.array("x", (2, 3), -1, 1)
    s = problem.variable("s", 0, 1)
    problem.require(x.sum(axis=0) == np.array([0.5, 0.0, -0.5]), s == x[1, 2])
    answer = problem.solve(marabou)
    assert isinstance(answer, mp.Solution)
    assert answer["x"].shape == (2, 3)
    assert answer["s"].shape == ()
    assert answer["x"].sum(axis=0) == pytest.approx([0.5, 0.0, -0.5])
    with pytest.raises(ValueError, match="read-only"):
        answer["x"][0, 0] = 1.0


def test_any_of_and_nested_alternatives(marabou: MarabouBackend) -> None:
    problem = mp.Problem()
    x = problem.array("x", 2, 0, 1)
    corner = mp.any_of([x[0] <= 0.1, x[1] <= 0.1], x >= 0.9)
    problem.require(mp.any_of(mp.all_of(corner, x.sum() >= 1.9), x[0] - x[1] >= 2.0))
    answer = problem.solve(marabou)
    assert isinstance(answer, mp.Solution)
    assert (answer["x"] >= 0.9 - 1e-6).all()
    problem.require(x[0] <= 0.5)
    assert isinstance(problem.solve(marabou), mp.NoSolution)


def test_at_most_k_nonzero(marabou: MarabouBackend) -> None:
    for backend in (marabou, "highs"):
        for k, feasible in ((1, False), (2, True)):
            problem = mp.Problem()
            x = problem.array("x", 4, -1, 1)
            problem.require(mp.at_most_k_nonzero(x, k), np.array([1.0, -1.0, 0.5, 0.5]) @ x >= 1.2)
            answer = problem.solve(backend)
            assert isinstance(answer, mp.Solution) is feasible
            if isinstance(answer, mp.Solution):
                assert np.count_nonzero(answer["x"]) <= k


def test_witnesses_are_apart_and_complete(marabou: MarabouBackend) -> None:
    problem = mp.Problem()
    x = problem.variable("x", -1, 1)
    problem.require(mp.absolute(x) == 0.5)
    found = problem.witnesses(5, apart=0.1, backend=marabou)
    assert sorted(float(s["x"]) for s in found.solutions) == pytest.approx([-0.5, 0.5])
    assert found.complete
    few = problem.witnesses(1, apart=0.1, backend=marabou)
    assert len(few.solutions) == 1
    assert not few.complete


def test_decision_conditions() -> None:
    for rule, sign in ((Rule.ARGMAX, 1.0), (Rule.ARGMIN, -1.0)):
        for values in ((0.0, 1.0, 2.0), (2.0, 1.0, 0.0), (1.0, 1.0, 0.0)):
            y0 = sign * np.array(values)

            def holds(make: object, y0: np.ndarray = y0) -> bool:
                problem = mp.Problem()
                y = problem.array("y", 3, -5, 5)
                problem.require(y == y0, make(y))  # type: ignore[operator]
                return isinstance(problem.solve("highs"), mp.Solution)

            wins = {i for i in range(3) if all(sign * (y0[i] - y0[j]) >= 0 for j in range(3))}
            for i in range(3):
                assert holds(lambda y, i=i, rule=rule: mp.decides(y, i, rule=rule)) == (i in wins)
                other = any(sign * (y0[j] - y0[i]) >= 0 for j in range(3) if j != i)
                assert holds(lambda y, i=i, rule=rule: mp.decides_other(y, i, rule=rule)) == other
            pair = any(sign * (y0[i] - y0[2]) >= 0 for i in (0, 1))
            assert holds(lambda y, rule=rule: mp.decides_one_of(y, (0, 1), rule=rule)) == pair
            both = all(sign * (y0[i] - y0[2]) >= 0 for i in (0, 1))
            every = holds(lambda y, rule=rule: mp.decides_one_of(y, (0, 1), rule=rule, every=True))
            assert every == both


@dataclass
class Scripted:
    """A backend that says what it was told to say."""

    says: list[Answer]
    name: str = "scripted"
    needs_confirmation: bool = False
    claim_shrinkage: float = SHRINKAGE

    def solve(self, query: Query, timeout: float) -> Answer:
        del query, timeout
        return self.says.pop(0) if len(self.says) > 1 else self.says[0]

    def close(self) -> None:
        pass


def feasible_problem() -> tuple[mp.Problem, mp.Expression]:
    problem = mp.Problem()
    x = problem.array("x", 2, 0, 1)
    problem.require(mp.relu(x[0] - x[1]) >= 0.25)
    return problem, x


def test_a_wrong_unsat_is_overruled_by_a_replayed_solution() -> None:
    problem, _ = feasible_problem()
    answer = problem.solve(Scripted([Infeasible()]))
    assert isinstance(answer, mp.Solution)
    assert "scripted said unsat, wrongly" in answer.notes[0]


def test_an_unconfirmed_unsat_names_who_said_so() -> None:
    problem, _ = feasible_problem()
    answer = problem.solve(
        Scripted([Infeasible()]), confirm=Scripted([Undecided("out of time")], "second")
    )
    assert isinstance(answer, mp.NoSolution)
    assert answer.certified_by == ("scripted",)
    assert answer.notes == ("not confirmed: out of time",)


def test_a_solution_that_does_not_replay_decides_nothing() -> None:
    problem = mp.Problem()
    x = problem.variable("x", -1, 1)
    problem.require(mp.absolute(x) >= 2.0 * mp.absolute(x - 3.0))
    frozen = freeze(problem.model)
    assert frozen is not None
    lie = Candidate(np.zeros(len(frozen.query.names)))
    liar = Scripted([lie])
    assert isinstance(problem.solve(liar, confirm=None), Unknown)
    second = problem.solve(Scripted([Infeasible()]), confirm=Scripted([lie], "second"))
    assert isinstance(second, Unknown)
    assert "did not replay" in second.reason


def test_minimise_moves_only_on_proofs_and_replayed_solutions() -> None:
    problem, x = feasible_problem()
    truth = problem.minimise(x.sum(), backend="highs", confirm=None)
    assert truth.lower <= 0.25 <= truth.upper + 1e-9
    assert truth.closed(1e-4)
    silent = problem.minimise(x.sum(), backend=Scripted([Undecided("no idea")]), confirm=None)
    assert silent.lower == -np.inf
    assert silent.upper == np.inf
    assert silent.note == "no idea"


def test_minimise_notices_a_contradiction() -> None:
    """A solver that refutes what a replayed solution already shows is not believed in silence."""
    problem, x = feasible_problem()

    class Liar(HighsBackend):
        asked = 0

        def solve(self, query: Query, timeout: float) -> Answer:
            Liar.asked += 1
            if Liar.asked == 2:
                return Infeasible()
            return super().solve(query, timeout)

    problem.require(x[0] >= 0.5)  # so that the first solution is the best one
    found = problem.minimise(x.sum(), backend=Liar(), confirm=None, tolerance=1e-3)
    assert found.lower <= found.upper
    answer = problem.solve("highs")
    assert isinstance(answer, mp.Solution)
    state = _Descent(problem.model, x.sum().ravel(), answer, 1e-3)
    with pytest.raises(ContradictionError, match="liar said that no value is below"):
        state.refute(state.upper + 1.0, mp.NoSolution(("liar",)))


def within(problem: mp.Problem, values: np.ndarray, tolerance: float) -> mp.Solution | None:
    frozen = problem.freeze()
    return replay(problem.model, frozen.declared, values, tolerance)


@pytest.mark.parametrize("miss", [1e-14, 1e-9, 9e-7])
def test_a_solution_within_its_tolerance_contradicts_no_proof(miss: float) -> None:
    """The least value is 0.25; a solver may return less, as far as the tolerance goes."""
    problem, x = feasible_problem()
    short = within(problem, np.array([0.25 - miss, 0.0]), 1e-6)
    assert short is not None
    assert short.violation == pytest.approx(miss, rel=1e-2)
    state = _Descent(problem.model, x.sum().ravel(), short, 1e-3)
    assert 0.25 - 1.01e-6 <= state.lower <= state.upper < 0.25


def test_a_solution_beyond_its_tolerance_contradicts_a_proof() -> None:
    problem, x = feasible_problem()
    good = within(problem, np.array([0.25, 0.0]), 1e-6)
    assert good is not None
    columns = good.columns.copy()
    columns[0] -= 1.1e-6
    with pytest.raises(ContradictionError, match="interval propagation said that no value"):
        _Descent(problem.model, x.sum().ravel(), replace(good, columns=columns), 1e-3)


CONDITIONS = {
    "at most": lambda x: mp.relu(x[0] - x[1]) + mp.absolute(x[2]) <= 0.0,
    "at least": lambda x: mp.maximum(x) <= -0.5,
    "equal": lambda x: x == np.array([0.25, -0.5, 0.0]),
    "one of two": lambda x: mp.any_of([x[0] <= -0.9375, x[1] == 0.5], [x[2] >= 0.9375]),
    "a norm": lambda x: mp.norm_inf(x - 0.25) <= 0.125,
    "few are not 0": lambda x: mp.at_most_k_nonzero(x, 1),
    "none is not 0": lambda x: mp.at_most_k_nonzero(x - 0.25, 0),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_relaxed_model_takes_in_every_solution(name: str) -> None:
    """No point that replays within a large tolerance has a value below what intervals prove."""
    tolerance = 0.125
    problem = mp.Problem()
    x = problem.array("x", 3, -1, 1)
    problem.require(CONDITIONS[name](x))
    axis = np.linspace(-1, 1, 17)
    grid = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(-1, 3)
    solutions = [s for s in (within(problem, p, tolerance) for p in grid) if s is not None]
    assert any(s.violation == tolerance for s in solutions) or name.endswith("not 0")
    for weights in (np.array([1.0, 2.0, -0.5]), np.array([-1.0, -1.0, 1.0])):
        least = min(weights @ s["x"] for s in solutions)
        goal = (weights @ x).ravel()
        assert least_value(relaxed(problem.model, tolerance), goal) <= least


@pytest.mark.parametrize("name", ["equal", "a norm", "none is not 0"])
def test_a_relaxed_model_is_no_wider_than_the_tolerance(name: str) -> None:
    problem = mp.Problem()
    x = problem.array("x", 3, -1, 1)
    problem.require(CONDITIONS[name](x))
    goal = (x[0] - x[1]).ravel()
    exact, wider = (least_value(relaxed(problem.model, t), goal) for t in (0.0, 0.125))
    assert exact - 0.25 - 1e-12 <= wider < exact


def test_bounds_are_met_though_conditions_may_be_missed() -> None:
    """An entry that counts as 0 is not set to 0 where its bounds forbid that."""
    problem = mp.Problem()
    x = problem.array("x", 2, [1e-7, -1.0], 1.0)
    problem.require(mp.at_most_k_nonzero(x, 0))
    assert within(problem, np.array([0.0, 0.0]), 1e-6) is None
    found = within(problem, np.array([1e-7, 1e-7]), 1e-6)
    assert found is not None
    assert found["x"].min() == 1e-7


NUMBERS = {
    "zeros": (np.zeros(6), 0.0, 0.0),
    "numbers": (np.array([0.0, 3.0, 0.0, -4.0, 2.0, 0.0]), 9.0, 4.0),
    "small numbers": (np.array([0.0, 0.25, 0.0, -0.5, 0.0, 0.0]), 0.75, 0.5),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_norms_of_numbers_and_variables(name: str) -> None:
    """Entries that are numbers count, and zeros cost nothing."""
    numbers, sum_of_sizes, largest = NUMBERS[name]
    problem = mp.Problem()
    x = problem.array("x", 2, -1, 2)
    full = mp.insert(np.concatenate([numbers, np.zeros(100)]), slice(6, 8), x)
    for norm, least, most in (
        (mp.norm1, sum_of_sizes, sum_of_sizes + 4.0),
        (mp.norm_inf, largest, max(largest, 2.0)),
    ):
        size = norm(full)
        low = problem.minimise(size, backend="highs")
        high = problem.minimise(-size, backend="highs")
        assert low.lower - 1e-9 <= least <= low.upper + 1e-9
        assert high.lower - 1e-9 <= -most <= high.upper + 1e-9
    bounded = mp.Problem()
    y = bounded.array("y", 2, -1, 2)
    bounded.require(mp.norm_inf(mp.insert(np.zeros(1000), slice(0, 2), y) * 1.5) <= 1)
    assert len(bounded.query.names) < 20


def test_values_are_named() -> None:
    problem = mp.Problem()
    problem.array("x", 2, 0, 1)
    answer = problem.solve("highs")
    assert isinstance(answer, mp.Solution)
    with pytest.raises(InputError, match="'y' is no declared variable; declared are: x"):
        answer["y"]
    assert repr(problem) == "<Problem: 2 variables (x), 0 conditions>"


def test_stable_and_convex_parts_cost_no_relu() -> None:
    problem = mp.Problem()
    x = problem.array("x", 3, 1, 2)
    problem.require(mp.relu(x).sum() >= 4, mp.norm1(x - 1.5) <= 1, mp.maximum(x) <= 1.75)
    assert problem.query.piecewise == ()
    open_one = mp.Problem()
    y = open_one.array("y", 3, -1, 1)
    open_one.require(mp.relu(y).sum() >= 2)
    assert len(open_one.query.piecewise) == 3
