"""Realising values of the first layer: against exact optima, and with every engine."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import linprog
from small_networks import plain

from marapatch.errors import InputError
from marapatch.network.cut import head
from marapatch.network.graph import Network, dense_network
from marapatch.patch_attacks.fewest_entries import Evaluator, fewer
from marapatch.patch_attacks.realise import InputBox, equal, realise, rows_of
from marapatch.patch_attacks.row_lp import Rows, least_violation, min_l0, min_l1, min_linf
from marapatch.patch_attacks.trust_region_lp import derivative, trust_region_lp
from marapatch.problem.conditions import OutputCondition, Rule, beats

SIZE = 7


def network(seed: int, sizes: tuple[int, ...] = (SIZE, 4, 3)) -> Network:
    return dense_network(*plain(np.random.default_rng(seed), sizes))


def problem(seed: int) -> tuple[Rows, InputBox, OutputCondition, Network]:
    """Rows over the first layer of a random network that a point of the box meets."""
    net = network(seed)
    rng = np.random.default_rng(seed + 50)
    x, goal = rng.random(SIZE), rng.random(SIZE)
    z = net.values(goal)["affine0"][0]
    sense = rng.choice([-1.0, 1.0], size=(3, 1))
    matrix = sense * rng.normal(size=(3, 4))
    condition = OutputCondition(matrix, matrix @ z - 0.05)
    domain = InputBox(x, np.zeros(SIZE), np.ones(SIZE))
    return rows_of(head(net, 0), condition, domain), domain, condition, net


def exact_least(rows: Rows, *, largest: bool = False, entries: tuple[int, ...] | None = None):
    """The optimum by scipy: of the sum, or of the largest entry; None where infeasible."""
    free = np.zeros(SIZE, dtype=bool)
    free[list(range(SIZE) if entries is None else entries)] = True
    low, high = np.where(free, rows.lower, 0.0), np.where(free, rows.upper, 0.0)
    eye, one = np.eye(SIZE), np.ones((SIZE, 1))
    count = 1 if largest else SIZE
    bound = one if largest else eye
    a = np.vstack(
        [
            np.hstack([-rows.matrix, np.zeros((len(rows.rhs), count))]),
            np.hstack([eye, -bound]),
            np.hstack([-eye, -bound]),
        ]
    )
    b = np.concatenate([-rows.rhs, np.zeros(2 * SIZE)])
    cost = np.concatenate([np.zeros(SIZE), np.ones(count)])
    bounds = [*zip(low, high, strict=True), *[(0.0, None)] * count]
    solved = linprog(cost, A_ub=a, b_ub=b, bounds=bounds)
    return solved.fun if solved.status == 0 else None


def exact_fewest(rows: Rows) -> int:
    for k in range(SIZE + 1):
        if any(exact_least(rows, entries=c) is not None for c in combinations(range(SIZE), k)):
            return k
    raise AssertionError("the rows have no solution")


@pytest.mark.parametrize("seed", range(12))
def test_linear_programs_are_optimal_and_feasible(seed: int) -> None:
    rows, *_ = problem(seed)
    for change, size, optimum in (
        (min_l1(rows, np.ones(SIZE)), np.sum, exact_least(rows)),
        (min_linf(rows), np.max, exact_least(rows, largest=True)),
    ):
        assert change is not None
        assert rows.missed(change).max() <= 1e-8
        assert (change >= rows.lower - 1e-9).all()
        assert (change <= rows.upper + 1e-9).all()
        assert float(size(np.abs(change))) == pytest.approx(optimum, abs=1e-7)


@pytest.mark.parametrize("seed", range(12))
def test_fewest_is_the_fewest(seed: int) -> None:
    rows, *_ = problem(seed)
    change, proved = min_l0(rows, 600.0)
    assert change is not None
    assert proved
    assert rows.missed(change).max() <= 1e-7
    assert np.count_nonzero(change) == exact_fewest(rows)


@pytest.mark.parametrize("minimise", ["l0", "l1", "linf"])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_realised_meets_the_property_on_the_network(seed: int, minimise: str) -> None:
    rows, domain, condition, net = problem(seed)
    x = realise(net, domain.x, condition, minimise=minimise, timeout=600.0)
    assert x is not None
    z = net.values(x)["affine0"]
    assert condition.worst(z)[0] >= 0.0
    assert ((x >= 0.0) & (x <= 1.0)).all()
    change = x - domain.x
    best = {
        "l0": float(exact_fewest(rows)),
        "l1": exact_least(rows),
        "linf": exact_least(rows, largest=True),
    }[minimise]
    size = {
        "l0": float((np.abs(change) > 1e-9).sum()),
        "l1": float(np.abs(change).sum()),
        "linf": float(np.abs(change).max()),
    }[minimise]
    assert size == pytest.approx(best, abs=1e-6)


def test_marabou_alone_finds_as_few_entries() -> None:
    rows, domain, condition, net = problem(3)
    x = realise(net, domain.x, condition, minimise="l0", backend="marabou", timeout=600.0)
    assert x is not None
    assert condition.worst(net.values(x)["affine0"])[0] >= 0.0
    assert (np.abs(x - domain.x) > 1e-6).sum() == exact_fewest(rows)


@pytest.mark.parametrize("minimise", ["l1", "linf"])
def test_queries_minimise_a_norm(minimise: str) -> None:
    rows, domain, condition, net = problem(4)
    x = realise(net, domain.x, condition, minimise=minimise, backend="marabou", timeout=600.0)
    assert x is not None
    change = np.abs(x - domain.x)
    size = change.sum() if minimise == "l1" else change.max()
    assert size <= exact_least(rows, largest=minimise == "linf") + 2e-2


def test_values_as_equalities() -> None:
    net = network(2)
    rng = np.random.default_rng(0)
    x, goal = rng.random(SIZE), rng.random(SIZE)
    wanted = net.values(goal)["affine0"][0]
    found = realise(net, x, wanted, minimise="l1")
    assert found is not None
    assert net.values(found)["affine0"][0] == pytest.approx(wanted, abs=1e-6)


def test_nothing_within_the_largest_change() -> None:
    net = dense_network([np.eye(3), np.eye(3)], [np.zeros(3)] * 2)
    x, wanted = np.full(3, 0.5), OutputCondition(np.eye(3)[:1], np.array([0.9]))
    assert realise(net, x, wanted, max_pixel=0.3) is None
    found = realise(net, x, wanted, max_pixel=0.45)
    assert found is not None
    assert found == pytest.approx([0.9, 0.5, 0.5], abs=1e-5)


def test_the_box_and_the_shape_are_kept() -> None:
    net = replace(network(1), input_shape=(1, SIZE))
    x = np.full((1, SIZE), 0.25)
    values = net.values(np.full((1, SIZE), 0.3))["affine0"][0]
    found = realise(net, x, values, box=(np.full(SIZE, 0.2), np.full((1, SIZE), 0.35)))
    assert found is not None
    assert found.shape == (1, SIZE)
    assert ((found >= 0.2) & (found <= 0.35)).all()


@pytest.mark.parametrize("seed", range(6))
def test_a_later_layer_is_realised_through_relus(seed: int) -> None:
    net = network(seed, (SIZE, 8, 6, 3))
    rng = np.random.default_rng(seed)
    x, goal = rng.random(SIZE), rng.random(SIZE)
    z = net.values(goal)["affine1"][0]
    condition = OutputCondition(np.eye(6)[:2], z[:2] - 0.01)
    found = realise(net, x, condition, layer=1)
    assert found is not None
    assert condition.worst(net.values(found)["affine1"])[0] >= -1e-7


def test_least_violation_of_rows_that_cannot_be_met() -> None:
    rows = Rows(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([0.6, 0.2]), -np.ones(2), np.ones(2))
    change = least_violation(rows)
    assert change is not None
    assert rows.missed(change).sum() == pytest.approx(0.8, abs=1e-8)
    assert change[1] == 0.0
    assert min_l1(rows, np.ones(2)) is None


def test_derivative_is_that_of_the_condition() -> None:
    net = network(5)
    x, condition = np.random.default_rng(1).random(SIZE), beats(1, 3, Rule.ARGMAX, 0.1)
    matrix, rhs = derivative(net.standard_form, x, condition)
    step = 1e-6 * np.random.default_rng(2).normal(size=SIZE)
    slack = condition.slack(net.evaluate(np.stack([x, x + step])))
    assert -rhs == pytest.approx(slack[0])
    assert matrix @ step == pytest.approx(slack[1] - slack[0], abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_approach_stays_in_the_box_and_never_goes_back(seed: int) -> None:
    net = network(seed, (SIZE, 10, 8, 3))
    x = np.random.default_rng(seed).random(SIZE)
    target = int(np.argsort(-net.evaluate(x)[0])[1])
    condition = beats(target, 3, Rule.ARGMAX, 1e-3)
    found = trust_region_lp(net.standard_form, condition, x, np.zeros(SIZE), np.ones(SIZE), 0.25)
    assert ((found >= 0.0) & (found <= 1.0)).all()
    before, after = (condition.slack(net.evaluate(p))[0] for p in (x, found))
    assert np.maximum(-after, 0.0).sum() <= np.maximum(-before, 0.0).sum()


@pytest.mark.parametrize("seed", range(8))
def test_fewer_entries_still_meet_the_condition(seed: int) -> None:
    net = network(seed, (20, 10, 8, 3))
    rng = np.random.default_rng(seed)
    x, goal = rng.random(20), rng.random(20)
    outputs = net.evaluate(np.stack([x, goal]))
    row = outputs[1] - outputs[0]
    condition = OutputCondition(row[None], np.array([row @ (outputs[0] + 0.3 * row)]))
    domain = InputBox(x, np.zeros(20), np.ones(20))
    change = fewer(net.standard_form, condition, domain, goal - x, np.inf)
    assert condition.worst(net.evaluate(x + change))[0] > 0.0
    assert np.count_nonzero(change) < 20
    assert ((x + change >= -1e-12) & (x + change <= 1.0 + 1e-12)).all()
    kept = np.flatnonzero(change)
    for i in kept:  # no entry can be dropped
        without = change.copy()
        without[i] = 0.0
        assert kept.size == 1 or condition.worst(net.evaluate(x + without))[0] <= 0.0


@pytest.mark.parametrize("sizes", [(SIZE, 5, 3), (SIZE, 3)])
def test_evaluator_agrees_with_the_network(sizes: tuple[int, ...]) -> None:
    net = network(9, sizes)
    x, condition = np.random.default_rng(3).random(SIZE), beats(0, 3, Rule.ARGMIN)
    judge = Evaluator.of(net.standard_form, condition, x)
    entries = np.array([[0, 2], [5, 6]])
    amounts = np.array([[0.5, -0.25], [0.0, 1.0]])
    changes = np.zeros((2, SIZE))
    np.put_along_axis(changes, entries, amounts, axis=1)
    expected = condition.worst(net.evaluate(x + changes))
    assert judge.sparse_slack(entries, amounts) == pytest.approx(expected)
    assert judge.slack(changes) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"wanted": np.zeros(3)}, "layer 0 has 4 pre-activations, the property is on 3"),
        ({"box": (0.6, 1.0)}, "the image lies outside the box"),
        ({"layer": 7}, "layer 7 does not exist"),
    ],
)
def test_what_does_not_fit_is_named(arguments: dict[str, object], message: str) -> None:
    given = {"wanted": equal(np.zeros(4)), **arguments}
    with pytest.raises(InputError, match=message):
        realise(network(0), np.full(SIZE, 0.5), **given)
