"""The numbers of an ONNX file: exactly those, and all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_models import model, node, reference, save
from onnx_models import normals as _numbers
from refused_models import RNG

from marapatch.errors import InputError
from marapatch.network.layers import Affine
from marapatch.network.onnx.reader import read_onnx


def test_numbers_are_those_of_the_file_exactly(tmp_path: Path) -> None:
    weight, bias = RNG.normal(size=(4, 3)), RNG.normal(size=3)
    nodes = [node("MatMul", ["x", "w"], ["m"]), node("Add", ["m", "b"], ["y"])]
    network = read_onnx(save(model(nodes, (1, 4), {"w": weight, "b": bias}), tmp_path))
    layer = network.layer("m")
    assert isinstance(layer, Affine)
    assert (layer.weight == weight.T.astype(np.float32).astype(np.float64)).all()
    assert (layer.bias == bias.astype(np.float32).astype(np.float64)).all()


def test_external_data_is_read_and_moved_inside(tmp_path: Path) -> None:
    made = model([node("Gemm", ["x", "w"], ["y"])], (1, 4), {"w": _numbers(4, 3)})
    x = RNG.normal(size=(3, 4)).astype(np.float32)
    expected = reference(made.SerializeToString(), x, (4,))
    path = tmp_path / "model.onnx"
    onnx.save(made, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    network = read_onnx(path)
    np.testing.assert_allclose(network.evaluate(x), expected, atol=1e-6)
    assert network.source is not None
    np.testing.assert_allclose(reference(network.source.content, x, (4,)), expected)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(InputError, match=r"model\.onnx: its weights are in another file"):
        read_onnx(path)


def test_a_tensor_of_the_wrong_size_is_refused(tmp_path: Path) -> None:
    made = model([node("Gemm", ["x", "w"], ["y"])], (1, 4), {"w": _numbers(4, 3)})
    made.graph.initializer[0].raw_data = made.graph.initializer[0].raw_data[:-4]
    with pytest.raises(InputError, match="needs 48 bytes, the file has 44"):
        read_onnx(save(made, tmp_path))
