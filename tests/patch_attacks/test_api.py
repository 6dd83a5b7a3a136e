"""The patch attack: every success holds, small optima are met, and what cannot be is said."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import networkx as nx
import numpy as np
import pytest
from attacked_networks import FAR, SIZE, WIDE, network

from marapatch.errors import InputError
from marapatch.network.graph import Network, dense_network
from marapatch.network.layers import Affine, LeakyRelu, Relu, Sum
from marapatch.network.parameters import Parameters
from marapatch.patch_attacks import api as api_module
from marapatch.patch_attacks import halving as halving_module
from marapatch.patch_attacks.api import PatchAttack, patch_attack, replay_of
from marapatch.patch_attacks.options import PatchAttackOptions
from marapatch.problem.conditions import Rule


def check(net: Network, image: np.ndarray, found: PatchAttack, rule: Rule = Rule.ARGMAX) -> None:
    """What is said of an adversarial input is true of the array that was returned."""
    x = found.adversarial
    assert x is not None
    assert x.shape == image.shape
    assert x.dtype == np.float64
    decided = rule.decide(net.evaluate(x)[0])
    assert decided == found.target != found.decision
    assert found.decision == rule.decide(net.evaluate(image)[0])
    change = (x - image).reshape(-1)
    assert found.l0 == np.count_nonzero(change)
    assert found.l1 == pytest.approx(np.abs(change).sum(), rel=1e-12)
    assert found.l2 == pytest.approx(np.linalg.norm(change), rel=1e-12)
    assert found.linf == np.abs(change).max()
    assert found.stages
    assert found.seconds > 0.0


@pytest.mark.parametrize("minimise", ["l0", "l1", "linf"])
@pytest.mark.parametrize("seed", range(6))
def test_halving_finds_inputs_that_hold(seed: int, minimise: str) -> None:
    net, image = network(seed), np.random.default_rng(seed).random(SIZE)
    options = PatchAttackOptions(minimise=minimise, fallback=False, max_pixel=9.0)
    found = patch_attack(net, image, box=WIDE, options=options)
    assert found.by == "halving"
    check(net, image, found)
    assert found.adversarial is not None
    assert (np.abs(found.adversarial) <= 3.0).all()
    kinds = {stage.kind for stage in found.stages}
    assert {"middle patch", "halved patch", "realise", "shrink"} <= kinds


@pytest.mark.parametrize("rule", list(Rule))
def test_targets_and_rules(rule: Rule) -> None:
    net, image = network(3), np.random.default_rng(3).random(SIZE)
    order = np.argsort(-rule.sign * net.evaluate(image)[0])
    found = patch_attack(net, image, target=int(order[1]), decision=rule, box=WIDE, options=FAR)
    assert found.found
    assert (found.wanted, found.target) == (order[1], order[1])
    check(net, image, found, rule)


def test_what_shrinking_gives_is_replayed_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that is added to the image again is rounded, and may be no success any more."""
    net, image = network(3), np.random.default_rng(3).random(SIZE)
    monkeypatch.setattr(api_module, "shrunk", lambda goal, *_: goal.domain.x.copy())
    found = patch_attack(net, image, box=WIDE, options=FAR)
    assert found.found
    check(net, image, found)
    assert "did not replay" in {stage.note for stage in found.stages}


@pytest.mark.parametrize("seed", range(4))
def test_a_success_replays_without_changing_a_number(seed: int) -> None:
    net, image = network(seed), np.random.default_rng(seed).random(SIZE)
    found = patch_attack(net, image, box=WIDE, options=FAR)
    assert found.adversarial is not None
    again = replay_of(net, image, found.target, box=WIDE, options=FAR)(found.adversarial)
    assert again is not None
    assert np.array_equal(again.input, found.adversarial)


def test_the_box_and_the_largest_change_are_kept() -> None:
    net, image = network(4), np.full(SIZE, 0.5)
    lower, upper = np.full(SIZE, 0.1), np.full(SIZE, 0.9)
    lower[0] = upper[0] = 0.5
    options = PatchAttackOptions(max_pixel=0.3)
    found = patch_attack(net, image, box=(lower, upper), options=options)
    check(net, image, found)
    assert found.adversarial is not None
    assert found.adversarial[0] == 0.5
    assert found.linf <= 0.3
    assert ((found.adversarial >= lower) & (found.adversarial <= upper)).all()


def test_the_image_is_taken_as_the_file_takes_it() -> None:
    net = replace(network(5), input_dtype=np.dtype(np.float32), input_shape=(2, 4))
    image = np.random.default_rng(5).random((2, 4))
    found = patch_attack(net, image)
    assert found.adversarial is not None
    rounded = image.astype(np.float32).astype(np.float64)
    check(net, rounded, found)
    assert (found.adversarial == found.adversarial.astype(np.float32)).all()


def test_where_halving_fails_a_direct_search_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halving_module.Halving, "attempts", lambda self: iter(()))
    net, image = network(6), np.random.default_rng(6).random(SIZE)
    found = patch_attack(net, image)
    assert found.by == "direct"
    check(net, image, found)
    alone = patch_attack(net, image, options=PatchAttackOptions(fallback=False))
    assert (alone.found, alone.by, alone.l0, alone.linf) == (False, "", -1, inf)
    assert alone.adversarial is None


def test_a_network_of_one_layer_goes_directly() -> None:
    net = dense_network([np.array([[1.0, 0.0], [0.0, 2.0]])], [np.zeros(2)])
    image = np.array([0.9, 0.1])
    found = patch_attack(net, image)
    assert found.by == "direct"
    assert found.stages[0].note == "the network has one layer, so there is nothing to halve"
    check(net, image, found)
    assert found.l0 == 1
    assert found.l1 == pytest.approx(0.35, abs=1e-3)


def test_nothing_to_be_found_is_said() -> None:
    net = dense_network([np.eye(2), np.eye(2)], [np.zeros(2), np.array([5.0, 0.0])])
    found = patch_attack(net, np.array([0.5, 0.5]))
    assert not found.found
    assert found.reason
    assert found.target is None
    assert all(stage.upper == inf for stage in found.stages if stage.kind == "direct")


def test_marabou_answers_every_query() -> None:
    net, image = network(1, (4, 5, 5, 3)), np.random.default_rng(1).random(4)
    options = PatchAttackOptions(backend="marabou", targets=1, timeout=600.0, shrink=False)
    found = patch_attack(net, image, options=options)
    assert found.by == "halving"
    check(net, image, found)


def test_the_same_input_twice() -> None:
    net, image = network(2), np.random.default_rng(2).random(SIZE)
    first, second = patch_attack(net, image), patch_attack(net, image)
    assert first.adversarial is not None
    assert second.adversarial is not None
    assert (first.adversarial == second.adversarial).all()


def graph(layers: list[tuple[str, object, tuple[str, ...]]], inputs: int, outputs: int) -> Network:
    made = nx.DiGraph()
    made.add_node("input")
    for name, layer, sources in layers:
        made.add_node(name, layer=layer, inputs=sources)
        made.add_edges_from((source, name) for source in sources)
    last = layers[-1][0]
    return Network(made, "input", last, (inputs,), (outputs,), np.dtype(np.float64))


def affine(rng: np.random.Generator, inputs: int, outputs: int) -> Affine:
    weight = rng.normal(size=(outputs, inputs))
    return Affine(weight, 0.1 * rng.normal(size=outputs), Parameters.dense(weight))


def test_leaky_relus_are_halved_too() -> None:
    rng = np.random.default_rng(0)
    net = graph(
        [
            ("a", affine(rng, 6, 8), ("input",)),
            ("r", LeakyRelu(0.1), ("a",)),
            ("b", affine(rng, 8, 8), ("r",)),
            ("s", LeakyRelu(0.1), ("b",)),
            ("c", affine(rng, 8, 3), ("s",)),
        ],
        6,
        3,
    )
    image = rng.random(6)
    found = patch_attack(net, image)
    assert found.by == "halving"
    check(net, image, found)


def test_what_bypasses_a_cut_is_noted_and_another_layer_taken() -> None:
    rng = np.random.default_rng(1)
    net = graph(
        [
            ("a", affine(rng, 6, 6), ("input",)),
            ("r", Relu(), ("a",)),
            ("b", affine(rng, 6, 6), ("r",)),
            ("sum", Sum((1.0, 1.0)), ("b", "r")),
            ("s", Relu(), ("sum",)),
            ("c", affine(rng, 6, 3), ("s",)),
        ],
        6,
        3,
    )
    image = rng.random(6)
    found = patch_attack(net, image)
    check(net, image, found)
    assert "cannot be cut" in found.stages[0].note
    assert found.by == "halving"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": np.full(SIZE, 2.0)}, "the input is outside the box at entry 0: 2.0"),
        ({"image": np.zeros(3)}, "the input has shape"),
        ({"image": np.full(SIZE, np.nan)}, "NaN or infinity"),
        ({"target": 9}, "target 9 is not one of the network's classes 0..3"),
        ({"target": "decided"}, "already; choose another target"),
        ({"box": (0.9, 0.1)}, "the box is empty"),
    ],
)
def test_what_does_not_fit_is_named(arguments: dict[str, object], message: str) -> None:
    net = network(0)
    given: dict[str, object] = {"image": np.full(SIZE, 0.5), **arguments}
    if given.get("target") == "decided":
        given["target"] = int(np.argmax(net.evaluate(np.full(SIZE, 0.5))[0]))
    image = given.pop("image")
    with pytest.raises(InputError, match=message):
        patch_attack(net, image, **given)  # type: ignore[arg-type]
