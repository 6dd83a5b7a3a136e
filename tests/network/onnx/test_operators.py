"""Every operator the ONNX reader knows, against onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike
from onnx import TensorProto, numpy_helper
from onnx_models import integers as _ints
from onnx_models import model, node, reference, save
from onnx_models import normals as _numbers

from marapatch.errors import InputError
from marapatch.network.exact import exact_outputs
from marapatch.network.onnx.reader import OPERATORS, read_onnx

RNG = np.random.default_rng(7)


@dataclass(frozen=True)
class Case:
    name: str
    nodes: list[Any]
    shape: tuple[int | str, ...]
    constants: dict[str, ArrayLike] = field(default_factory=dict)
    opset: int = 13
    layers: int | None = None  # how many nodes the graph of layers must have after the input

    def __str__(self) -> str:
        return self.name


def _conv(name: str, shape: tuple[int, ...], kernel: tuple[int, ...], **attributes: Any) -> Case:
    constants = {"w": _numbers(*kernel), "b": _numbers(kernel[0])}
    return Case(name, [node("Conv", ["x", "w", "b"], ["y"], **attributes)], shape, constants)


CASES = [
    _conv("conv", (1, 2, 6, 7), (3, 2, 3, 2)),
    _conv("conv groups", (1, 4, 5, 5), (6, 2, 3, 3), group=2, pads=[1, 0, 2, 1]),
    _conv("conv depthwise", (1, 3, 5, 5), (3, 1, 3, 3), group=3),
    _conv("conv dilations", (1, 2, 9, 8), (3, 2, 3, 2), dilations=[2, 3], strides=[2, 1]),
    _conv("conv same upper", (1, 1, 6, 7), (2, 1, 3, 4), auto_pad="SAME_UPPER", strides=[2, 2]),
    _conv("conv same lower", (1, 1, 6, 7), (2, 1, 3, 4), auto_pad="SAME_LOWER", strides=[2, 3]),
    _conv("conv valid", (1, 1, 6, 7), (2, 1, 3, 4), auto_pad="VALID", strides=[2, 3]),
    _conv("conv 1d", (1, 3, 9), (2, 3, 4), strides=[2], pads=[1, 2]),
    _conv("conv 3d", (1, 2, 4, 3, 5), (2, 2, 2, 3, 2), pads=[1, 0, 0, 0, 1, 1]),
    _conv("conv mostly padding", (1, 1, 2, 2), (1, 1, 3, 3), pads=[2, 2, 2, 2]),
    Case(
        "conv then add",
        [node("Conv", ["x", "w"], ["c"]), node("Add", ["c", "b"], ["y"])],
        (1, 2, 4, 4),
        {"w": _numbers(3, 2, 2, 2), "b": _numbers(1, 3, 1, 1)},
        layers=1,
    ),
    Case(
        "conv then add of one number",
        [node("Conv", ["x", "w"], ["c"]), node("Add", ["c", "b"], ["y"])],
        (1, 2, 4, 4),
        {"w": _numbers(3, 2, 2, 2), "b": _numbers(1)},
        layers=2,
    ),
    Case(
        "max pool",
        [node("MaxPool", ["x"], ["y"], kernel_shape=[3, 2], pads=[1, 0, 1, 1], strides=[2, 1])],
        (1, 2, 6, 5),
        layers=1,
    ),
    Case(
        "max pool dilated",
        [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], dilations=[2, 3])],
        (1, 2, 6, 5),
    ),
    Case(
        "max pool same",
        [node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], auto_pad="SAME_UPPER")],
        (1, 2, 4, 5),
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
    Case(
        "max pool, ceil without effect",
        [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)],
        (1, 1, 4, 6),
    ),
    Case(
        "average pool",
        [node("AveragePool", ["x"], ["y"], kernel_shape=[3, 2], pads=[1, 1, 1, 0])],
        (1, 2, 6, 5),
    ),
    Case(
        "average pool with padding",
        [
            node(
                "AveragePool",
                ["x"],
                ["y"],
                kernel_shape=[3, 2],
                pads=[1, 1, 1, 0],
                count_include_pad=1,
                strides=[2, 2],
            )
        ],
        (1, 2, 6, 5),
    ),
    Case("global average pool", [node("GlobalAveragePool", ["x"], ["y"])], (1, 3, 4, 5)),
    Case("global max pool", [node("GlobalMaxPool", ["x"], ["y"])], (1, 3, 4, 5)),
    Case(
        "batch normalization",
        [node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], epsilon=1e-3)],
        (1, 3, 4, 5),
        {"s": _numbers(3), "b": _numbers(3), "m": _numbers(3), "v": RNG.uniform(0.1, 2.0, 3)},
    ),
    Case(
        "gemm",
        [node("Gemm", ["x", "w", "c"], ["y"])],
        ("N", 4),
        {"w": _numbers(4, 3), "c": _numbers(3)},
        layers=1,
    ),
    Case(
        "gemm scaled and transposed",
        [node("Gemm", ["x", "w", "c"], ["y"], alpha=0.3, beta=1.7, transB=1)],
        (1, 4),
        {"w": _numbers(3, 4), "c": _numbers(1, 3)},
    ),
    Case(
        "gemm with a scalar bias",
        [node("Gemm", ["x", "w", "c"], ["y"], transB=1)],
        (1, 4),
        {"w": _numbers(3, 4), "c": _numbers(1)},
    ),
    Case(
        "gemm without bias then add",
        [node("Gemm", ["x", "w"], ["g"]), node("Add", ["b", "g"], ["y"])],
        (1, 4),
        {"w": _numbers(4, 3), "b": _numbers(3)},
        layers=1,
    ),
    Case(
        "gemm on a transposed input",
        [
            node("Reshape", ["x", "two"], ["r"]),
            node("Gemm", ["r", "w", "c"], ["y"], transA=1),
        ],
        (1, 12),
        {"two": _ints(4, 3), "w": _numbers(4, 2), "c": _numbers(3, 2)},
    ),
    Case(
        "matmul on several rows",
        [node("MatMul", ["x", "w"], ["m"]), node("Add", ["m", "b"], ["y"])],
        (1, 3, 4),
        {"w": _numbers(4, 2), "b": _numbers(2)},
        layers=1,
    ),
    Case(
        "matmul from the left",
        [
            node("Reshape", ["x", "two"], ["r"]),
            node("MatMul", ["w", "r"], ["m"]),
            node("Add", ["m", "b"], ["y"]),
        ],
        (1, 12),
        {"two": _ints(4, 3), "w": _numbers(5, 4), "b": _numbers(5, 1)},
    ),
    Case(
        "matmul with a transposed constant",
        [node("Transpose", ["w"], ["wt"]), node("MatMul", ["x", "wt"], ["y"])],
        (1, 4),
        {"w": _numbers(3, 4)},
        layers=1,
    ),
    Case("sub constant", [node("Sub", ["x", "c"], ["y"])], (1, 2, 3), {"c": _numbers(2, 1)}),
    Case("sub from constant", [node("Sub", ["c", "x"], ["y"])], (1, 2, 3), {"c": _numbers(3)}),
    Case("add of zero", [node("Add", ["x", "c"], ["y"])], (1, 3), {"c": np.zeros(3)}, layers=0),
    Case("mul", [node("Mul", ["c", "x"], ["y"])], (1, 2, 3), {"c": _numbers(2, 1)}),
    Case("mul that widens", [node("Mul", ["x", "c"], ["y"])], (1, 1, 3), {"c": _numbers(2, 1)}),
    Case("div", [node("Div", ["x", "c"], ["y"])], (1, 2, 3), {"c": RNG.uniform(0.5, 2, (2, 3))}),
    Case("neg", [node("Neg", ["x"], ["y"])], (1, 3)),
    Case(
        "residual",
        [
            node("Gemm", ["x", "w"], ["g"]),
            node("Relu", ["g"], ["r"]),
            node("Add", ["r", "x"], ["s"]),
            node("Sub", ["s", "g"], ["y"]),
        ],
        (1, 4),
        {"w": _numbers(4, 4)},
    ),
    Case(
        "branches that broadcast",
        [
            node("Slice", ["x", "zero", "one", "last"], ["c"]),
            node("Add", ["x", "c"], ["y"]),
        ],
        (1, 3, 4),
        {"zero": _ints(0), "one": _ints(1), "last": _ints(2)},
    ),
    Case(
        "branches in two orders",
        [
            node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
            node("Relu", ["x"], ["r"]),
            node("Add", ["t", "r"], ["y"]),
        ],
        (1, 3, 3),
    ),
    Case(
        "a part and a whole",
        [
            node("Slice", ["x", "zero", "three", "one"], ["c"]),
            node("MatMul", ["x", "w"], ["m"]),
            node("Relu", ["m"], ["r"]),
            node("Add", ["c", "r"], ["y"]),
        ],
        (1, 5),
        {"zero": _ints(0), "three": _ints(3), "one": _ints(1), "w": _numbers(5, 3)},
    ),
    Case("sum of three", [node("Sum", ["x", "x", "r"], ["y"])], (1, 3)),
    Case("relu", [node("Relu", ["x"], ["y"])], (1, 3), layers=1),
    Case("leaky relu", [node("LeakyRelu", ["x"], ["y"], alpha=0.3)], (1, 3)),
    Case("leaky relu default", [node("LeakyRelu", ["x"], ["y"])], (1, 3)),
    Case("leaky relu steep", [node("LeakyRelu", ["x"], ["y"], alpha=-1.5)], (1, 3)),
    Case("abs", [node("Abs", ["x"], ["y"])], (1, 3)),
    Case("max of three", [node("Max", ["x", "r", "c"], ["y"])], (1, 3), {"c": _numbers(3)}),
    Case("max with zero", [node("Max", ["x", "c"], ["y"])], (1, 3), {"c": np.zeros(())}, layers=1),
    Case("max with a number", [node("Max", ["c", "x"], ["y"])], (1, 3), {"c": np.array([0.2])}),
    Case("min of three", [node("Min", ["x", "r", "c"], ["y"])], (1, 3), {"c": _numbers(3)}),
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
    Case("flatten", [node("Flatten", ["x"], ["f"]), node("Abs", ["f"], ["y"])], (1, 2, 3)),
    Case("flatten axis", [node("Flatten", ["x"], ["y"], axis=-1)], (1, 2, 3), layers=0),
    Case("reshape", [node("Reshape", ["x", "s"], ["y"])], (1, 2, 6), {"s": _ints(0, 3, -1)}),
    Case("transpose", [node("Transpose", ["x"], ["y"], perm=[0, 2, 3, 1])], (1, 2, 3, 4), layers=1),
    Case("transpose default", [node("Transpose", ["x"], ["y"])], (1, 2, 3)),
    Case("squeeze attribute", [node("Squeeze", ["x"], ["y"], axes=[1])], (1, 1, 3), opset=11),
    Case("squeeze input", [node("Squeeze", ["x", "a"], ["y"])], (1, 1, 3), {"a": _ints(1)}),
    Case("squeeze all", [node("Squeeze", ["x"], ["y"])], (1, 1, 3)),
    Case("unsqueeze attribute", [node("Unsqueeze", ["x"], ["y"], axes=[1, 3])], (1, 3), opset=11),
    Case("unsqueeze input", [node("Unsqueeze", ["x", "a"], ["y"])], (1, 3), {"a": _ints(-1)}),
    Case(
        "slice attributes",
        [node("Slice", ["x"], ["y"], axes=[2], starts=[1], ends=[-1])],
        (1, 2, 5),
        opset=9,
    ),
    Case(
        "slice steps",
        [node("Slice", ["x", "s", "e", "a", "t"], ["y"])],
        (1, 7, 6),
        {"s": _ints(-1, 1), "e": _ints(-100, 100), "a": _ints(1, 2), "t": _ints(-2, 3)},
    ),
    Case(
        "gather",
        [node("Gather", ["x", "i"], ["y"], axis=2)],
        (1, 2, 4),
        {"i": np.array([[3, 0], [-1, 3]], dtype=np.int64)},
    ),
    Case("expand", [node("Expand", ["x", "s"], ["y"])], (1, 1, 3), {"s": _ints(1, 4, 3)}),
    Case(
        "expand then gemm",
        [
            node("Expand", ["x", "s"], ["e"]),
            node("Flatten", ["e"], ["f"]),
            node("Gemm", ["f", "w"], ["y"]),
        ],
        (1, 1, 3),
        {"s": _ints(1, 4, 3), "w": _numbers(12, 2)},
    ),
    Case(
        "expand then pool",
        [
            node("Expand", ["x", "s"], ["e"]),
            node("AveragePool", ["e"], ["y"], kernel_shape=[2, 2]),
        ],
        (1, 1, 1, 4),
        {"s": _ints(1, 1, 3, 4)},
    ),
    Case("pad attribute", [node("Pad", ["x"], ["y"], pads=[0, 0, 1, 0, 0, 2])], (1, 2, 3), opset=9),
    Case(
        "pad value",
        [node("Pad", ["x", "p", "v"], ["y"])],
        (1, 2, 3),
        {"p": _ints(0, 1, 1, 0, 0, 2), "v": np.array(0.25)},
    ),
    Case("pad crop", [node("Pad", ["x", "p"], ["y"])], (1, 2, 5), {"p": _ints(0, 0, -1, 0, 1, -2)}),
    Case(
        "pad reflect",
        [node("Pad", ["x", "p"], ["y"], mode="reflect")],
        (1, 2, 5),
        {"p": _ints(0, 0, 2, 0, 0, 1)},
    ),
    Case(
        "pad axes",
        [node("Pad", ["x", "p", "", "a"], ["y"])],
        (1, 2, 5),
        {"p": _ints(1, 2), "a": _ints(-1)},
        opset=18,
    ),
    Case("concat", [node("Concat", ["x", "r"], ["y"], axis=1)], (1, 2, 3)),
    Case("concat last axis", [node("Concat", ["r", "x", "r"], ["y"], axis=-1)], (1, 2, 3)),
    Case("concat of one node", [node("Concat", ["x", "x"], ["y"], axis=2)], (1, 2, 3), layers=1),
    Case(
        "concat constant",
        [node("Concat", ["x", "c"], ["y"], axis=1)],
        (1, 3),
        {"c": _numbers(1, 2)},
    ),
    Case(
        "identity, dropout, cast",
        [
            node("Identity", ["x"], ["i"]),
            node("Dropout", ["i"], ["d"]),
            node("Cast", ["d"], ["y"], to=TensorProto.FLOAT),
        ],
        (1, 3),
        layers=0,
    ),
    Case("dropout attribute", [node("Dropout", ["x"], ["y"], ratio=0.4)], (1, 3), opset=9),
    Case(
        "constant nodes",
        [
            node("Constant", [], ["c"], value_floats=[1.0, 2.5, -3.0]),
            node("Constant", [], ["s"], value_ints=[1, 3, 1]),
            node("Add", ["x", "c"], ["a"]),
            node("Reshape", ["a", "s"], ["y"]),
        ],
        (1, 3),
    ),
    Case(
        "flatten by way of the shape",
        [
            node("Shape", ["x"], ["shape"]),
            node("Gather", ["shape", "zero"], ["n"]),
            node("Unsqueeze", ["n", "first"], ["ns"]),
            node("Slice", ["shape", "one", "end"], ["rest"]),
            node("ReduceProd", ["rest"], ["size"], keepdims=1),
            node("Concat", ["ns", "size"], ["target"], axis=0),
            node("Cast", ["target"], ["cast"], to=TensorProto.INT64),
            node("Reshape", ["x", "cast"], ["y"]),
        ],
        ("batch", 2, 3),
        {"zero": np.array(0), "first": _ints(0), "one": _ints(1), "end": _ints(9)},
        layers=0,
    ),
    Case(
        "integer arithmetic",
        [
            node("Shape", ["x"], ["shape"]),
            node("Gather", ["shape", "axis"], ["n"]),
            node("Mul", ["n", "four"], ["m"]),
            node("Div", ["m", "six"], ["d"]),
            node("Sub", ["d", "one"], ["e"]),
            node("Add", ["e", "one"], ["f"]),
            node("Equal", ["f", "n"], ["same"]),
            node("Where", ["same", "n", "f"], ["g"]),
            node("Range", ["nought", "g", "one"], ["places"]),
            node("Gather", ["x", "places"], ["y"], axis=1),
        ],
        (1, 6),
        {
            "axis": np.array(1),
            "four": np.array(4),
            "six": np.array(6),
            "one": np.array(1),
            "nought": np.array(0),
        },
    ),
    Case(
        "constant of shape",
        [
            node(
                "ConstantOfShape",
                ["n"],
                ["target"],
                value=numpy_helper.from_array(np.array([1], dtype=np.int64)),
            ),
            node("Expand", ["x", "target"], ["y"]),
        ],
        (1, 3),
        {"n": _ints(3)},
    ),
    Case(
        "dead nodes are not read",
        [node("Sigmoid", ["x"], ["unused"]), node("Relu", ["x"], ["y"])],
        (1, 3),
        layers=1,
    ),
]


def _build(case: Case) -> Any:
    """The case's model; ``r`` is a second branch, a ReLU of the input, where a node wants it."""
    made = {name for n in case.nodes for name in n.output}
    wanted = any("r" in n.input for n in case.nodes) and "r" not in made
    branch = [node("Relu", ["x"], ["r"])] if wanted else []
    return model([*branch, *case.nodes], case.shape, case.constants, opset=case.opset)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_operator_agrees_with_onnxruntime(case: Case, tmp_path: Path) -> None:
    made = _build(case)
    network = read_onnx(save(made, tmp_path))
    shape = tuple(n if isinstance(n, int) else 1 for n in case.shape)[1:]
    assert network.input_shape == shape
    x = np.random.default_rng(3).normal(size=(40, network.inputs)).astype(np.float32)
    expected = reference(made.SerializeToString(), x, shape)
    assert network.outputs == expected.shape[1]
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(network.evaluate(x), expected, rtol=0, atol=3e-6 * scale)
    np.testing.assert_allclose(
        network.standard_form.evaluate(x.astype(float)), network.evaluate(x), rtol=0, atol=1e-12
    )
    if case.layers is not None:
        assert len(network.graph) - 1 == case.layers


def test_every_operator_has_a_case() -> None:
    tried = {n.op_type for case in CASES for n in case.nodes}
    assert set(OPERATORS) <= tried


def test_a_normalisation_is_the_network_of_its_own_numbers(tmp_path: Path) -> None:
    """shift - mean * scale in one number rounds to another network: here by the whole lead."""
    scale, mean = 2.0**26 + 1.0, 2.0**27 + 1.0
    constants = {"s": [scale], "b": [scale * mean], "m": [mean], "v": [1.0]}
    made = model(
        [node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], epsilon=0.0)],
        [1, 1],
        {name: np.array(values) for name, values in constants.items()},
        elem_type=TensorProto.DOUBLE,
    )
    network = read_onnx(save(made, tmp_path))
    (value,) = exact_outputs(network, np.zeros(1))
    assert value == Fraction(scale * mean) - Fraction(scale) * Fraction(mean)
    assert value != 0


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
