"""The one place that makes a patch count: judged as it would be written."""

from __future__ import annotations

import numpy as np
import pytest

from marapatch.network.graph import Network, dense_network
from marapatch.patching.free_weights import free_weights
from marapatch.patching.goals import one_of
from marapatch.patching.verify_patch import PatchVerifier, Replays, confirm
from marapatch.problem.conditions import Rule
from marapatch.problem.norm import Norm

INPUT = np.array([[1.0, 0.5]], np.float32)


def network() -> Network:
    return dense_network([np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2)])


def verifier(margin: float = 0.0, norm: Norm = Norm.LINF) -> PatchVerifier:
    net = network()
    goals = (one_of([1], 2, Rule.ARGMAX, margin),)
    return PatchVerifier(net, free_weights(net, net.affine_layers[1]), INPUT, goals, norm)


def change_of(*weights: float) -> np.ndarray:
    """Of the last layer's four weights; the biases stay."""
    return np.array([*weights, 0.0, 0.0])


def test_a_change_that_meets_the_goal_counts_with_its_own_size() -> None:
    change = change_of(-0.5, 0.0, 0.25, 0.125)
    found = verifier()(change)
    assert found is not None
    assert found.size == 0.5
    assert found.margins.tolist() == pytest.approx([0.25 + 0.5 * 1.125 - 0.5])
    with_l1 = verifier(norm=Norm.L1)(change)
    assert with_l1 is not None
    assert 0.875 <= with_l1.size < 0.875 * (1.0 + 1e-12)  # a sum is rounded up


@pytest.mark.parametrize(
    "change",
    [
        change_of(0.0, 0.0, 0.0, 0.0),  # nothing changes
        change_of(-0.25, 0.0, 0.25, 0.0),  # a tie
        change_of(0.5, 0.0, -0.25, 0.0),  # the wrong way
        np.full(6, np.nan),
        change_of(-np.inf, 0.0, 0.0, 0.0),
    ],
)
def test_what_does_not_meet_it_is_no_patch(change: np.ndarray) -> None:
    assert verifier()(change) is None


def test_the_margin_is_demanded() -> None:
    change = change_of(-0.5, 0.0, 0.25, 0.0)  # leads by 0.25
    assert verifier(0.2)(change) is not None
    assert verifier(0.3)(change) is None


def test_a_witness_of_a_search_is_the_patch_that_was_judged() -> None:
    checking = verifier()
    replays = Replays(
        checking, lambda vector: change_of(-vector[0], 0.0, vector[1], 0.0), lambda c: c
    )
    assert replays(np.array([0.1, 0.1])) is None
    witness = replays(np.array([0.5, 0.25]))
    assert witness is not None
    verified = replays.of(witness)
    assert verified.size == witness.distance == 0.5
    assert verified.change.tolist() == change_of(-0.5, 0.0, 0.25, 0.0).tolist()


def test_onnxruntime_is_asked_of_the_network_as_written() -> None:
    checking = verifier()
    patched = checking.weights.apply(checking.network, change_of(-0.5, 0.0, 0.25, 0.0))
    assert confirm(patched, INPUT, checking.goals) is True
    assert confirm(checking.network, INPUT, checking.goals) is False
