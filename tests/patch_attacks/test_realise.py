"""Realising values of the first layer: against exact optima, and with every engine."""

from __future__ import annotations

import numpy as np
import pytest
from rows_over_inputs import SIZE, exact_fewest, exact_least, network, problem

from marapatch.errors import InputError
from marapatch.patch_attacks.realise import equal, realise
from marapatch.patch_attacks.sparsify import Evaluator
from marapatch.problem.conditions import OutputCondition, Rule, beats


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


@pytest.mark.parametrize("sizes", [(SIZE, 5, 3), (SIZE, 3)])
def test_evaluator_agrees_with_the_network(sizes: tuple[int, ...]) -> None:
    net = network(9, sizes)
    x, condition = np.random.default_rng(3).random(SIZE), beats(0, 3, Rule.ARGMIN)
    evaluator = Evaluator.of(net.standard_form, condition, x)
    entries = np.array([[0, 2], [5, 6]])
    amounts = np.array([[0.5, -0.25], [0.0, 1.0]])
    changes = np.zeros((2, SIZE))
    np.put_along_axis(changes, entries, amounts, axis=1)
    expected = condition.worst(net.evaluate(x + changes))
    assert evaluator.sparse_slack(entries, amounts) == pytest.approx(expected)
    assert evaluator.slack(changes) == pytest.approx(expected)


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
