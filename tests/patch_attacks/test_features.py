"""What a network computes before its last layer, or at a named one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_models import model, node, normals, save

from marapatch.errors import InputError
from marapatch.network.load import load
from marapatch.patch_attacks.features import FileFeatures, penultimate

RNG = np.random.default_rng(6)


@pytest.fixture
def convolutional(tmp_path: Path) -> Path:
    nodes = [
        node("Conv", ["x", "K"], ["z"], name="first"),
        node("Relu", ["z"], ["a"], name="active"),
        node("Flatten", ["a"], ["flat"], name="flatten"),
        node("Gemm", ["flat", "W", "b"], ["h"], name="hidden"),
        node("Relu", ["h"], ["g"], name="last_hidden"),
        node("Gemm", ["g", "V"], ["y"], name="scores"),
    ]
    constants = {"K": normals(2, 1, 3, 3), "W": normals(8, 5), "b": normals(5), "V": normals(5, 3)}
    return save(model(nodes, ["batch", 1, 4, 4], constants), tmp_path)


def test_features_before_the_last_layer(convolutional: Path) -> None:
    """By our own evaluation and by onnxruntime on the file: the same to float32's rounding."""
    network, inputs = load(convolutional), RNG.normal(size=(130, 16)).astype(np.float32)
    own, outside = penultimate(network, inputs), FileFeatures(convolutional)(inputs)
    assert own.shape == (130, 5)
    np.testing.assert_allclose(outside, own, rtol=1e-4, atol=1e-5)
    weights, _ = network.weights(network.affine_layers[-1].node)
    np.testing.assert_allclose(own @ weights.T, network.evaluate(inputs), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("layer", "size"), [("active", 8), ("a", 8), ("hidden", 5), ("scores", 3)])
def test_features_of_a_named_layer(convolutional: Path, layer: str, size: int) -> None:
    features = FileFeatures(convolutional, layer)(np.ones((3, 1, 4, 4)))
    assert features.shape == (3, size)
    values = load(convolutional).values(np.ones((3, 16)))
    alike = [v for v in values.values() if v.shape == features.shape]
    assert any(np.allclose(v, features, 1e-4, 1e-5) for v in alike)


def test_features_of_what_does_not_fit(convolutional: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no layer 'pool'; the last ones are .*scores"):
        FileFeatures(convolutional, "pool")
    with pytest.raises(InputError, match=r"takes 16 numbers \(1, 4, 4\)"):
        FileFeatures(convolutional)(np.zeros((2, 9)))
    with pytest.raises(InputError, match=r"gone\.onnx: cannot be read"):
        FileFeatures(tmp_path / "gone.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(InputError, match=r"text\.onnx"):
        FileFeatures(tmp_path / "text.onnx")
    relu = save(model([node("Relu", ["x"], ["y"])], [1, 3]), tmp_path, "relu.onnx")
    with pytest.raises(InputError, match="no fully connected layer"):
        FileFeatures(relu)


def test_features_of_a_file_with_a_fixed_batch(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "W"], ["h"]), node("MatMul", ["h", "V"], ["y"])]
    weights = {"W": normals(3, 4), "V": normals(4, 2)}
    path = save(model(nodes, [1, 3], weights), tmp_path)
    inputs = RNG.normal(size=(7, 3))
    np.testing.assert_allclose(FileFeatures(path)(inputs), inputs @ weights["W"], 1e-4, 1e-5)
