"""The ONNX reader: what networks come of files, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import ArrayLike
from onnx import TensorProto, helper
from onnx_models import integers as _ints
from onnx_models import model, node, reference, save
from onnx_models import normals as _numbers

from marapatch.errors import InputError, UnsupportedOperatorError
from marapatch.network.layers import Affine, Concat, MaxPool, Relu
from marapatch.network.onnx.reader import read_onnx

RNG = np.random.default_rng(7)


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


def test_numbers_are_those_of_the_file_exactly(tmp_path: Path) -> None:
    weight, bias = RNG.normal(size=(4, 3)), RNG.normal(size=3)
    nodes = [node("MatMul", ["x", "w"], ["m"]), node("Add", ["m", "b"], ["y"])]
    network = read_onnx(save(model(nodes, (1, 4), {"w": weight, "b": bias}), tmp_path))
    layer = network.layer("m")
    assert isinstance(layer, Affine)
    assert (layer.weight == weight.T.astype(np.float32).astype(np.float64)).all()
    assert (layer.bias == bias.astype(np.float32).astype(np.float64)).all()


def test_initializers_listed_as_inputs_are_no_inputs(tmp_path: Path) -> None:
    made = model([node("Gemm", ["x", "w"], ["y"])], (1, 4), {"w": _numbers(4, 3)})
    made.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3]))
    assert read_onnx(save(made, tmp_path)).outputs == 3


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


def _gemm(*rest: Any) -> list[Any]:
    return [node("Gemm", ["x", "w"], ["g"]), *rest]


REFUSED = [
    ("sigmoid", _gemm(node("Sigmoid", ["g"], ["y"], name="act")), {}, "Sigmoid 'act' is not"),
    ("unnamed", _gemm(node("Tanh", ["g"], ["y"])), {}, "Tanh 'y' is not supported"),
    (
        "other domain",
        _gemm(node("Relu", ["g"], ["y"], domain="com.example")),
        {},
        "operators of domain 'com.example'",
    ),
    ("softmax inside", _gemm(node("Softmax", ["g"], ["p"]), node("Relu", ["p"], ["y"])), {},
     "Softmax 'p': is only supported as the last operator"),
    ("softmax over a part", [node("Softmax", ["x"], ["y"])], {}, "attribute axis = -1"),
    ("product of branches", _gemm(node("MatMul", ["x", "g"], ["y"])), {}, "not piecewise linear"),
    ("quotient", _gemm(node("Div", ["w", "g"], ["y"])), {}, "depends on the network's input"),
    ("power", _gemm(node("Mul", ["g", "g"], ["y"])), {}, "not piecewise linear"),
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
        _gemm(node("Dropout", ["g", "half", "yes"], ["y"])),
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


WRONG = [
    ("bias", [node("Gemm", ["x", "w", "c"], ["y"])], {"c": _numbers(4)}, "does not fit"),
    ("inner size", [node("MatMul", ["x", "c"], ["y"])], {"c": _numbers(4, 2)}, "does not fit"),
    ("broadcast", [node("Add", ["x", "c"], ["y"])], {"c": _numbers(4)}, "do not broadcast"),
    ("zero divisor", [node("Div", ["x", "c"], ["y"])], {"c": np.zeros(7)}, "divides by zero"),
    ("reshape", [node("Reshape", ["x", "c"], ["y"])], {"c": _ints(2, 3)}, "does not fit"),
    ("gather", [node("Gather", ["x", "c"], ["y"], axis=1)], {"c": _ints(9)}, "does not fit"),
    ("undefined", [node("Add", ["x", "nowhere"], ["y"])], {}, "('nowhere') is not defined"),
    ("no attribute", [node("Cast", ["x"], ["y"])], {}, "is malformed"),
    ("odd attribute", [node("Relu", ["x"], ["y"], slope=2.0)], {}, "is malformed"),
    ("constant output", [node("Identity", ["w"], ["y"])], {}, "does not depend on the input"),
    ("empty clip", [node("Clip", ["x", "a", "b"], ["y"])],
     {"a": np.array(1.0), "b": np.array(-1.0)}, "bounds [1.0, -1.0] are empty"),
    ("kernel", [node("Conv", ["x", "c"], ["y"])], {"c": _numbers(1, 1, 2, 2)}, "does not fit"),
    ("nan", [node("Gemm", ["x", "c"], ["y"])], {"c": np.full((7, 2), np.nan)},
     "tensor 'c' contains NaN or infinity"),
    ("infinity", [node("Add", ["x", "c"], ["y"])], {"c": np.full(7, np.inf)},
     "tensor 'c' contains NaN or infinity"),
    ("nan kernel", [node("Unsqueeze", ["x", "a"], ["i"]), node("Conv", ["i", "c"], ["y"])],
     {"c": np.full((1, 1, 2), np.nan), "a": _ints(1)}, "tensor 'c' contains NaN"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("nodes", "constants", "message"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG]
)
def test_wrong_files_are_refused(
    nodes: list[Any], constants: dict[str, ArrayLike], message: str, tmp_path: Path
) -> None:
    path = save(model(nodes, (1, 7), {"w": _numbers(7, 7), **constants}), tmp_path)
    with pytest.raises(InputError) as caught:
        read_onnx(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, "height", 3), "axis 1 ('height') is dynamic"),
        (("N", 3, None), "axis 2 is dynamic"),
        ((8, 3), "axis 0 (the batch) is fixed at 8"),
        ((3,), "has shape [3]; a batch axis and at least one more are needed"),
    ],
)
def test_dynamic_axes_are_refused_by_name(
    shape: tuple[Any, ...], message: str, tmp_path: Path
) -> None:
    path = save(model([node("Relu", ["x"], ["y"])], shape), tmp_path)
    with pytest.raises(InputError) as caught:
        read_onnx(path)
    assert message in str(caught.value)


@pytest.mark.parametrize("count", [0, 2])
def test_one_input_is_needed(count: int, tmp_path: Path) -> None:
    made = model([node("Relu", ["x"], ["y"])], (1, 3))
    del made.graph.input[:]
    for k in range(count):
        made.graph.input.append(helper.make_tensor_value_info(f"x{k}", TensorProto.FLOAT, [1, 3]))
    with pytest.raises(InputError, match=f"has {count} inputs"):
        read_onnx(save(made, tmp_path))


def test_one_output_is_needed(tmp_path: Path) -> None:
    made = model([node("Relu", ["x"], ["y"]), node("Abs", ["x"], ["z"])], (1, 3))
    made.graph.output.append(helper.make_empty_tensor_value_info("z"))
    with pytest.raises(InputError, match=r"has 2 outputs \['y', 'z'\]"):
        read_onnx(save(made, tmp_path))


def test_integer_inputs_are_refused(tmp_path: Path) -> None:
    made = model([node("Abs", ["x"], ["y"])], (1, 3), elem_type=TensorProto.INT32)
    with pytest.raises(InputError, match="has type INT32"):
        read_onnx(save(made, tmp_path))


def test_input_types_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    made = model([node("Abs", ["x"], ["y"])], (1, 3), elem_type=109)
    with pytest.raises(InputError, match="has type 109"):
        read_onnx(save(made, tmp_path))


def test_names_with_line_breaks_give_one_line(tmp_path: Path) -> None:
    made = model([node("Odd\nOperator", ["x"], ["y"])], (1, 3))
    with pytest.raises(UnsupportedOperatorError, match="Odd Operator 'y' is not supported"):
        read_onnx(save(made, tmp_path))


def test_names_in_no_encoding_are_refused(tmp_path: Path) -> None:
    made = model([node("Relu", ["x"], ["y"], slopes=1.0)], (1, 3))
    content = made.SerializeToString().replace(b"slopes", b"\xfc\xfd\xfepes")
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.onnx: "):
        read_onnx(path)


def test_old_operator_sets_are_refused(tmp_path: Path) -> None:
    made = model([node("Relu", ["x"], ["y"])], (1, 3), opset=6)
    with pytest.raises(UnsupportedOperatorError, match="operator set 6 is older than 7"):
        read_onnx(save(made, tmp_path))


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


def test_no_prefix_of_a_file_is_read(tmp_path: Path) -> None:
    whole = model(_gemm(node("Relu", ["g"], ["y"])), (1, 7), {"w": _numbers(7, 7)})
    content = whole.SerializeToString()
    path = tmp_path / "cut.onnx"
    for end in [*range(0, len(content), 7), len(content) - 1]:
        path.write_bytes(content[:end])
        with pytest.raises((InputError, UnsupportedOperatorError)) as caught:
            read_onnx(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


def test_what_is_no_onnx_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    for content in (b"// a .nnet file\n1,2,3\n", b"\x89PNG\r\n\x1a\n", bytes(range(256))):
        path.write_bytes(content)
        with pytest.raises(InputError, match="is no ONNX file"):
            read_onnx(path)


def test_a_tensor_of_the_wrong_size_is_refused(tmp_path: Path) -> None:
    made = model([node("Gemm", ["x", "w"], ["y"])], (1, 4), {"w": _numbers(4, 3)})
    made.graph.initializer[0].raw_data = made.graph.initializer[0].raw_data[:-4]
    with pytest.raises(InputError, match="needs 48 bytes, the file has 44"):
        read_onnx(save(made, tmp_path))


def test_pools_and_joins_use_their_own_layers(tmp_path: Path) -> None:
    nodes = [
        node("MaxPool", ["x"], ["p"], kernel_shape=[2]),
        node("Relu", ["x"], ["r"]),
        node("Concat", ["p", "r"], ["y"], axis=2),
    ]
    network = read_onnx(save(model(nodes, (1, 1, 4)), tmp_path))
    kinds = {type(network.layer(n)) for n in network.order if n != network.input_node}
    assert kinds == {MaxPool, Relu, Concat}
