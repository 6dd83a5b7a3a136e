"""The ONNX reader: what networks come of files, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike
from onnx import TensorProto, helper
from onnx_models import integers as _ints
from onnx_models import model, node, reference, save
from onnx_models import normals as _numbers
from refused_models import RNG, gemm

from marapatch.errors import InputError, UnsupportedOperatorError
from marapatch.network.layers import Affine, Concat, MaxPool, Relu
from marapatch.network.onnx.reader import read_onnx


def test_double_networks_are_read_in_double(tmp_path: Path) -> None:
    weights = RNG.normal(size=(4, 3))
    made = model(
        [node("MatMul", ["x", "w"], ["y"])], (1, 4), {"w": weights}, elem_type=TensorProto.DOUBLE
    )
    network = read_onnx(save(made, tmp_path))
    assert network.input_dtype == np.dtype(np.float64)
    x = RNG.normal(size=(5, 4))
    np.testing.assert_allclose(network.evaluate(x), x @ weights, rtol=1e-14)


def test_reshuffles_between_layers_cost_no_layer(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        node("Conv", ["t", "w"], ["c"]),
        node("Relu", ["c"], ["r"]),
        node("Transpose", ["r"], ["u"], perm=[0, 2, 3, 1]),
        node("Reshape", ["u", "s"], ["f"]),
        node("Gemm", ["f", "g"], ["y"]),
    ]
    constants = {"w": _numbers(2, 3, 2, 2), "s": _ints(1, -1), "g": _numbers(24, 5)}
    made = model(nodes, ("N", 4, 5, 3), constants)
    network = read_onnx(save(made, tmp_path))
    kinds = [type(network.layer(n)) for n in network.order if n != network.input_node]
    assert kinds == [Affine, Relu, Affine]
    x = RNG.normal(size=(9, 60)).astype(np.float32)
    expected = reference(made.SerializeToString(), x, (4, 5, 3))
    np.testing.assert_allclose(network.evaluate(x), expected, atol=1e-5)


def test_initializers_listed_as_inputs_are_no_inputs(tmp_path: Path) -> None:
    made = model([node("Gemm", ["x", "w"], ["y"])], (1, 4), {"w": _numbers(4, 3)})
    made.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3]))
    assert read_onnx(save(made, tmp_path)).outputs == 3


@pytest.mark.parametrize(
    ("nodes", "opset", "operator"),
    [
        ([node("Softmax", ["s"], ["y"])], 13, "Softmax"),
        ([node("Softmax", ["s"], ["y"])], 9, "Softmax"),
        ([node("LogSoftmax", ["s"], ["y"], axis=1)], 13, "LogSoftmax"),
        ([node("ArgMax", ["s"], ["y"], axis=1, keepdims=0)], 13, "ArgMax"),
        (
            [node("Softmax", ["s"], ["p"]), node("Identity", ["p"], ["q"]),
             node("ArgMax", ["q"], ["y"], axis=-1)],
            13,
            "Softmax",
        ),
    ],
)  # fmt: skip
def test_a_last_decision_is_dropped(
    nodes: list[Any], opset: int, operator: str, tmp_path: Path
) -> None:
    made = model(
        [node("MatMul", ["x", "w"], ["s"]), *nodes], (1, 4), {"w": _numbers(4, 3)}, opset=opset
    )
    if nodes[-1].op_type == "ArgMax":
        made.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    network = read_onnx(save(made, tmp_path))
    assert network.output_shape == (3,)
    assert operator in network.notes[0]
    assert "dropped" in network.notes[0]
    x = RNG.normal(size=(50, 4)).astype(np.float32)
    out = reference(made.SerializeToString(), x, (4,))
    decided = out[:, 0] if out.shape[1] == 1 else out.argmax(axis=1)
    assert (network.evaluate(x).argmax(axis=1) == decided).all()


REFUSED = [
    ("sigmoid", gemm(node("Sigmoid", ["g"], ["y"], name="act")), {}, "Sigmoid 'act' is not"),
    ("unnamed", gemm(node("Tanh", ["g"], ["y"])), {}, "Tanh 'y' is not supported"),
    (
        "other domain",
        gemm(node("Relu", ["g"], ["y"], domain="com.example")),
        {},
        "operators of domain 'com.example'",
    ),
    ("softmax inside", gemm(node("Softmax", ["g"], ["p"]), node("Relu", ["p"], ["y"])), {},
     "Softmax 'p': is only supported as the last operator"),
    ("softmax over a part", [node("Softmax", ["x"], ["y"])], {}, "attribute axis = -1"),
    ("product of branches", gemm(node("MatMul", ["x", "g"], ["y"])), {}, "not piecewise linear"),
    ("quotient", gemm(node("Div", ["w", "g"], ["y"])), {}, "depends on the network's input"),
    ("power", gemm(node("Mul", ["g", "g"], ["y"])), {}, "not piecewise linear"),
    (
        "ceil mode",
        [node("MaxPool", ["i"], ["y"], name="p", kernel_shape=[2], strides=[2], ceil_mode=1)],
        {"image": _ints(1, 1, -1)},
        "MaxPool 'p': attribute ceil_mode = 1 is not supported",
    ),
    (
        "storage order",
        [node("MaxPool", ["i"], ["y"], kernel_shape=[2], storage_order=1)],
        {"image": _ints(1, 1, -1)},
        "attribute storage_order = 1",
    ),
    (
        "indices of a pool",
        [
            node("MaxPool", ["i"], ["p", "places"], kernel_shape=[2]),
            node("Cast", ["places"], ["f"], to=TensorProto.FLOAT),
            node("Add", ["p", "f"], ["y"]),
        ],
        {"image": _ints(1, 1, -1)},
        "its further output 'places' is used",
    ),
    ("cast", [node("Cast", ["x"], ["c"], to=TensorProto.INT32),
              node("Cast", ["c"], ["y"], to=TensorProto.FLOAT)], {}, "attribute to = 'INT32'"),
    (
        "arithmetic on floats",
        [node("Add", ["w", "w"], ["v"]), node("Gemm", ["x", "v"], ["y"])],
        {},
        "arithmetic on floating-point constants",
    ),
    ("batched matmul", [node("MatMul", ["x", "cube"], ["y"])], {}, "use a constant matrix"),
    (
        "training",
        gemm(node("Dropout", ["g", "half", "yes"], ["y"])),
        {"half": np.array(0.5), "yes": np.array(True)},
        "training_mode is on",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("nodes", "constants", "message"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_unsupported_forms_are_refused_by_name(
    nodes: list[Any], constants: dict[str, ArrayLike], message: str, tmp_path: Path
) -> None:
    if "image" in constants:
        nodes = [node("Reshape", ["x", "image"], ["i"]), *nodes]
    constants = {"w": _numbers(7, 7), "cube": _numbers(2, 7, 7), **constants}
    shape = (1, 7) if "softmax over" not in message and "axis" not in message else (1, 2, 7)
    path = save(model(nodes, shape, constants), tmp_path)
    with pytest.raises(UnsupportedOperatorError) as caught:
        read_onnx(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_scaled_double_weights_are_refused(tmp_path: Path) -> None:
    made = model(
        [node("Gemm", ["x", "w"], ["y"], alpha=0.3)],
        (1, 3),
        {"w": _numbers(3, 3)},
        elem_type=TensorProto.DOUBLE,
    )
    with pytest.raises(UnsupportedOperatorError, match="attribute alpha"):
        read_onnx(save(made, tmp_path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.onnx: cannot be read: No such file"):
        read_onnx(tmp_path / "gone.onnx")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_onnx(tmp_path)


def test_pools_and_joins_use_their_own_layers(tmp_path: Path) -> None:
    nodes = [
        node("MaxPool", ["x"], ["p"], kernel_shape=[2]),
        node("Relu", ["x"], ["r"]),
        node("Concat", ["p", "r"], ["y"], axis=2),
    ]
    network = read_onnx(save(model(nodes, (1, 1, 4)), tmp_path))
    kinds = {type(network.layer(n)) for n in network.order if n != network.input_node}
    assert kinds == {MaxPool, Relu, Concat}
