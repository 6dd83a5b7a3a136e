"""The worked example of the patching paper, every number of it.

Khan, Madhukar, Sharma, "Efficient Adversarial Input Generation via Neural Net Patching", Fig. 1 to
4. What is printed there is reproduced, or shown not to be the least.
"""

from __future__ import annotations

import numpy as np
import pytest

from marapatch.network.graph import Network, dense_network
from marapatch.patch_attacks.api import PatchAttackOptions, patch_attack
from marapatch.patch_attacks.halving import find_first_layer_patch
from marapatch.patching.api import minimal_patch
from marapatch.patching.mark_graph import mark
from marapatch.patching.options import PatchOptions
from marapatch.problem.conditions import Rule, beats

MARGIN = 1e-6
IMAGE = np.array([0.5, 0.5])
WANTED = 1

PRINTED_EDGE = 6.875
"""The change of one edge of the middle layer in the paper's patch."""

PRINTED_DISTANCE = 0.458
"""How far, in L-infinity, the paper's adversarial input is."""


@pytest.fixture(scope="module")
def network() -> Network:
    weights = [[[1, 1], [-1, 2]], [[2, 3], [1, 1]], [[2, -8], [-4, 5]]]
    return dense_network([np.array(w, dtype=float) for w in weights], [np.zeros(2)] * 3)


def test_values_on_the_image(network: Network) -> None:
    values = network.values(IMAGE)
    assert values["affine0"].tolist() == [[1.0, 0.5]]
    assert values["affine1"].tolist() == [[3.5, 1.5]]
    assert network.evaluate(IMAGE).tolist() == [[-5.0, -6.5]]


def test_marks_towards_the_second_output(network: Network) -> None:
    layers = [marks.tolist() for marks in mark(network, WANTED).layers]
    # -6 of the first and +13 of the second neuron in the lead of the second output.
    assert layers[3] == ["decrement", "increment"]
    assert layers[2] == ["decrement", "increment"]
    assert layers[1] == ["free", "free"]
    assert layers[0] == ["free", "free"]


def test_the_printed_edge_patch_works_and_is_not_the_least(network: Network) -> None:
    weight, _ = network.weights("affine1")
    weight[1, 0] += PRINTED_EDGE
    assert np.argmax(network.with_weights("affine1", weight).evaluate(IMAGE)[0]) == WANTED
    least = minimal_patch(
        network,
        IMAGE,
        WANTED,
        layer=1,
        norm="l1",
        margin=MARGIN,
        options=PatchOptions(tolerance=1e-5, backend="highs"),
    )
    assert least.closed
    assert least.upper == pytest.approx(1.5 / 13.0, rel=1e-4)
    assert least.lower == pytest.approx(1.5 / 13.0, rel=1e-4)
    assert least.changed_weights == 1
    assert least.delta is not None
    assert least.delta[1, 0] == pytest.approx(1.5 / 13.0, rel=1e-4)
    assert least.upper < PRINTED_EDGE / 59.0


def test_halving_finds_that_patch_and_one_of_the_first_layer(network: Network) -> None:
    options = PatchAttackOptions(patch_norm="l1", margin=MARGIN)
    condition = beats(WANTED, 2, Rule.ARGMAX, MARGIN)
    found = find_first_layer_patch(network, IMAGE, condition, options)
    middle = found.stages[0]
    assert (middle.layer, middle.kind, middle.changed) == (1, "middle patch", 1)
    assert middle.upper == pytest.approx(1.5 / 13.0, rel=1e-4)
    assert [stage.layer for stage in found.stages] == [1, 0]
    assert found.delta is not None
    weight, _ = network.weights("affine0")
    patched = network.with_weights("affine0", weight + found.delta)
    assert np.argmax(patched.evaluate(IMAGE)[0]) == WANTED


def test_nearest_input_is_far_nearer_than_the_printed_one(network: Network) -> None:
    options = PatchAttackOptions(minimise="linf", margin=MARGIN)
    found = patch_attack(network, IMAGE, target=WANTED, options=options)
    assert found.by == "halving"
    assert found.adversarial is not None
    assert found.adversarial == pytest.approx([0.6, 0.4], abs=1e-5)
    assert 0.1 <= found.linf <= 0.1 + 1e-5
    assert found.linf < PRINTED_DISTANCE / 4.5
    assert np.argmax(network.evaluate(found.adversarial)[0]) == WANTED


def test_last_layer_of_the_second_figure() -> None:
    last = dense_network([np.array([[1.0, -1.0], [-1.0, 1.0]])], [np.zeros(2)])
    hidden = np.array([0.0, 2.0])
    assert last.evaluate(hidden).tolist() == [[-2.0, 2.0]]
    options = PatchAttackOptions(minimise="linf", margin=MARGIN, max_pixel=10.0)
    found = patch_attack(last, hidden, target=0, box=(-10.0, 10.0), options=options)
    assert found.by == "direct"
    assert "nothing to halve" in found.stages[0].note
    assert 1.0 < found.linf == pytest.approx(1.0, abs=1e-5)
    assert found.adversarial == pytest.approx([1.0, 1.0], abs=1e-5)
    weights = minimal_patch(last, hidden, 0, norm="linf", margin=MARGIN)
    assert (weights.lower, weights.upper) == pytest.approx((1.0, 1.0), abs=1e-5)
