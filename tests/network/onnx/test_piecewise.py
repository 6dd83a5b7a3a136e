"""ReLUs and their kin, extremes and maximum pools in ONNX files, against onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from onnx_models import model, node, normals, save
from operator_cases import Case, assert_agrees_with_onnxruntime

from marapatch.errors import InputError
from marapatch.network.onnx.piecewise import PIECEWISE
from marapatch.network.onnx.reader import read_onnx

CASES = [
    Case(
        "max pool",
        [node("MaxPool", ["x"], ["y"], kernel_shape=[3, 2], pads=[1, 0, 1, 1], strides=[2, 1])],
        (1, 2, 6, 5),
        layers=1,
    ),
    Case(
        "max pool of a transpose",
        [
            node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
            node("MaxPool", ["t"], ["y"], kernel_shape=[2, 2]),
        ],
        (1, 4, 5, 3),
        layers=1,
    ),
    Case("global max pool", [node("GlobalMaxPool", ["x"], ["y"])], (1, 3, 4, 5)),
    Case("relu", [node("Relu", ["x"], ["y"])], (1, 3), layers=1),
    Case("leaky relu", [node("LeakyRelu", ["x"], ["y"], alpha=0.3)], (1, 3)),
    Case("leaky relu default", [node("LeakyRelu", ["x"], ["y"])], (1, 3)),
    Case("leaky relu steep", [node("LeakyRelu", ["x"], ["y"], alpha=-1.5)], (1, 3)),
    Case("abs", [node("Abs", ["x"], ["y"])], (1, 3)),
    Case("max of three", [node("Max", ["x", "r", "c"], ["y"])], (1, 3), {"c": normals(3)}),
    Case("max with zero", [node("Max", ["x", "c"], ["y"])], (1, 3), {"c": np.zeros(())}, layers=1),
    Case("max with a number", [node("Max", ["c", "x"], ["y"])], (1, 3), {"c": np.array([0.2])}),
    Case("min of three", [node("Min", ["x", "r", "c"], ["y"])], (1, 3), {"c": normals(3)}),
    Case("min with a number", [node("Min", ["c", "x"], ["y"])], (1, 3), {"c": np.array(0.2)}),
    Case("clip attributes", [node("Clip", ["x"], ["y"], min=-0.5, max=0.7)], (1, 5), opset=6 + 1),
    Case("clip below only", [node("Clip", ["x"], ["y"], min=-0.5)], (1, 5), opset=9),
    Case(
        "clip inputs",
        [node("Clip", ["x", "lo", "hi"], ["y"])],
        (1, 5),
        {"lo": np.array(-0.5), "hi": np.array(0.7)},
    ),
    Case("clip above only", [node("Clip", ["x", "", "hi"], ["y"])], (1, 5), {"hi": np.array(0.7)}),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_onnxruntime(case: Case, tmp_path: Path) -> None:
    assert_agrees_with_onnxruntime(case, tmp_path)


def test_every_operator_has_a_case() -> None:
    assert set(PIECEWISE) <= set().union(*(case.operators for case in CASES))


@pytest.mark.parametrize("bound", [1e39, 1e207, float(np.finfo(np.float64).max) / 2])
def test_a_bound_of_a_double_file_beyond_float32_is_a_bound(bound: float, tmp_path: Path) -> None:
    constants = {"lo": np.array(-bound), "hi": np.array(bound)}
    made = model(
        [node("Clip", ["x", "lo", "hi"], ["y"])], (1, 2), constants, elem_type=TensorProto.DOUBLE
    )
    network = read_onnx(save(made, tmp_path))
    found = network.evaluate(1.5 * np.array([[bound, -bound]]))
    assert found.tolist() == [[bound, -bound]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_largest_number_of_a_type_is_no_bound(dtype: type[np.floating], tmp_path: Path) -> None:
    largest = np.finfo(dtype).max
    kind = TensorProto.FLOAT if dtype is np.float32 else TensorProto.DOUBLE
    constants = {"lo": np.array(-largest, dtype), "hi": np.array(largest, dtype)}
    made = model([node("Clip", ["x", "lo", "hi"], ["y"])], (1, 2), constants, elem_type=kind)
    assert list(read_onnx(save(made, tmp_path)).order) == ["x"]


@pytest.mark.parametrize("ends", [(np.inf, np.inf), (-np.inf, -np.inf), (1.0, 0.0)])
def test_empty_bounds_are_refused(ends: tuple[float, float], tmp_path: Path) -> None:
    constants = {"lo": np.array(ends[0]), "hi": np.array(ends[1])}
    made = model([node("Clip", ["x", "lo", "hi"], ["y"])], (1, 2), constants)
    with pytest.raises(InputError, match="are empty"):
        read_onnx(save(made, tmp_path))
