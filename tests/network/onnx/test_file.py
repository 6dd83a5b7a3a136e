"""ONNX files from outside: what is none, and what cannot be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike
from onnx import TensorProto, helper
from onnx_models import integers as _ints
from onnx_models import model, node, save
from onnx_models import normals as _numbers
from refused_models import gemm

from marapatch.errors import InputError, UnsupportedOperatorError
from marapatch.network.onnx.reader import read_onnx

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


def test_no_prefix_of_a_file_is_read(tmp_path: Path) -> None:
    whole = model(gemm(node("Relu", ["g"], ["y"])), (1, 7), {"w": _numbers(7, 7)})
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
