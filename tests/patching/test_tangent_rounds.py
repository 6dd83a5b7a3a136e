"""Goals on probabilities, by rounds of tangents: against closed forms and onnxruntime."""

from __future__ import annotations

from math import inf, log
from pathlib import Path

import numpy as np
import pytest
from onnx_models import reference
from probability_goals import OPTIONS, classifier, least_last_layer

from marapatch.patching.api import find_layer, minimal_patch
from marapatch.patching.free_weights import free_weights
from marapatch.patching.goals import linear
from marapatch.problem.norm import Norm


@pytest.mark.parametrize("last", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("seed", range(15))
def test_the_last_layer_has_a_closed_form(seed: int, last: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 7))
    network = classifier(tmp_path, rng, classes, last)
    x = rng.normal(size=2).astype(np.float32).astype(float)
    target, wanted = int(rng.integers(classes)), float(rng.uniform(0.05, 0.99))
    limit = wanted if last == "Softmax" else log(wanted)
    goal = linear(np.eye(classes)[[target]], [limit], classes, transform=network.output_transform)
    patch = minimal_patch(network, x, goal, options=OPTIONS)
    right = least_last_layer(network, x, target, log(wanted / (1.0 - wanted)))
    assert patch.closed
    assert patch.lower <= right * (1.0 + 1e-9)
    assert patch.upper >= right * (1.0 - 1e-9)
    if 0.0 < patch.upper < inf:
        assert patch.confirmed
        outputs = reference(save_patched(patch, tmp_path), x.astype(np.float32)[None], (2,))
        assert outputs[0, target] >= limit - 1e-6


def save_patched(patch: object, folder: Path) -> str:
    path = folder / "patched.onnx"
    patch.save(path)  # type: ignore[attr-defined]
    return str(path)


@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_several_inputs_an_inner_layer_and_a_margin(norm: str, tmp_path: Path) -> None:
    """The upper end is judged by onnxruntime, and no random change below the lower end will do."""
    rng = np.random.default_rng(3)
    network = classifier(tmp_path, rng, 3, "Softmax")
    x = rng.normal(size=(2, 2)).astype(np.float32)
    decided = network.evaluate(x).argmax(axis=1)
    matrix = np.eye(3)[[(decided[0] + 1) % 3]]
    goal = linear(matrix, [0.4], 3, 0.05, transform=network.output_transform)
    patch = minimal_patch(network, x, goal, layer=0, norm=norm, options=OPTIONS)
    assert 0.0 < patch.lower <= patch.upper < inf
    outputs = reference(save_patched(patch, tmp_path), x, (2,))
    assert (outputs @ matrix[0] >= 0.45 - 1e-6).all()
    what = free_weights(network, find_layer(network, 0), bias=False)
    for _ in range(300):
        change = rng.normal(size=what.numbers) * what.free
        change *= 0.999 * patch.lower / Norm(norm).distance(change)
        scores = what.apply(network, change).evaluate(x)
        sizes = np.exp(scores - scores.max(axis=1, keepdims=True))
        assert ((sizes / sizes.sum(axis=1, keepdims=True)) @ matrix[0]).min() < 0.45


def test_a_goal_that_is_met_needs_no_change(tmp_path: Path) -> None:
    network = classifier(tmp_path, np.random.default_rng(0), 3, "Softmax")
    x = np.array([0.5, -0.25])
    best = int(network.evaluate(x)[0].argmax())
    goal = linear(np.eye(3)[[best]], [1.0 / 3.0], 3, transform=network.output_transform)
    patch = minimal_patch(network, x, goal, options=OPTIONS)
    assert (patch.lower, patch.upper, patch.already) == (0.0, 0.0, True)
