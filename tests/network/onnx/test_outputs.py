"""What onnxruntime makes of a whole file, input by input; None where it does not say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_models import model, node, save

from marapatch.network.load import load
from marapatch.network.onnx.outputs import run_onnx

WEIGHTS = {"W": np.array([[1.0, -1.0, 0.5], [0.5, 2.0, 0.0]])}
POINTS = np.array([[0.5, 0.25], [1.0, -1.0], [0.0, 0.0]], np.float32)


def file(folder: Path, *last: str) -> Path:
    """An affine layer, then the operators ``last``."""
    names = ["z", *(f"n{k}" for k in range(len(last)))]
    names[-1] = "y"
    nodes = [node("Gemm", ["x", "W"], [names[0]])]
    for k, operator in enumerate(last):
        more = {"axis": 1} if operator == "ArgMax" else {}
        nodes.append(node(operator, [names[k]], [names[k + 1]], **more))
    return Path(save(model(nodes, ["batch", 2], WEIGHTS), folder))


def test_outputs_are_those_of_the_network(tmp_path: Path) -> None:
    path = file(tmp_path, "Relu")
    network = load(path)
    found = run_onnx(path.read_bytes(), POINTS, network)
    assert found is not None
    assert found.dtype == np.float64
    assert found == pytest.approx(network.evaluate(POINTS), abs=1e-6)


def test_probabilities_are_given_as_scores_that_differ_by_a_constant(tmp_path: Path) -> None:
    path = file(tmp_path, "Softmax")
    network = load(path)
    found = run_onnx(path.read_bytes(), POINTS, network)
    assert found is not None
    difference = found - network.evaluate(POINTS)
    assert difference == pytest.approx(np.repeat(difference[:, :1], 3, axis=1), abs=1e-5)


def test_a_file_that_ends_in_a_decision_gives_no_outputs(tmp_path: Path) -> None:
    path = file(tmp_path, "ArgMax")
    assert run_onnx(path.read_bytes(), POINTS, load(path)) is None


def test_what_is_no_file_gives_none(tmp_path: Path) -> None:
    network = load(file(tmp_path, "Relu"))
    assert run_onnx(b"no file", POINTS, network) is None
