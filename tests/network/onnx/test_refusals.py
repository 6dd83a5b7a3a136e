"""Files that onnxruntime refuses are refused by name; what numpy would let pass is not read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_models import integers, model, node, save, session

from marapatch.errors import InputError, UnsupportedOperatorError
from marapatch.network.load import load

WEIGHTS = {"W": np.array([[1.0, -1.0], [0.5, 2.0]]), "b": np.array([0.25, 0.0])}


def good() -> Any:
    return model(
        [node("Gemm", ["x", "W", "b"], ["z"]), node("Relu", ["z"], ["y"])], ["batch", 2], WEIGHTS
    )


def again(name: str) -> Callable[[Any], None]:
    return lambda made: made.graph.node.append(node("Relu", ["x"], [name]))


def dangling(made: Any) -> None:
    made.graph.node.append(node("Relu", ["gone"], ["unused"]))


def circular(made: Any) -> None:
    made.graph.node.extend([node("Relu", ["v"], ["u"]), node("Relu", ["u"], ["v"])])


REFUSED: dict[str, tuple[Callable[[Any], None], str]] = {
    "the output again": (again("y"), "'y' is defined twice"),
    "a tensor again": (again("z"), "'z' is defined twice"),
    "an initializer again": (again("W"), "'W' is defined twice"),
    "the input again": (again("x"), "'x' is defined twice"),
    "nothing before it": (dangling, r"Relu 'unused': its input 0 \('gone'\) is not defined before"),
    "a circle that nobody needs": (circular, "is not defined before it is used"),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_onnxruntime_refuses(
    change: Callable[[Any], None], message: str, tmp_path: Path
) -> None:
    made = good()
    change(made)
    path = save(made, tmp_path)
    with pytest.raises(Exception, match="ONNXRuntimeError"):
        session(path.read_bytes())
    with pytest.raises(InputError, match=message):
        load(path)


@pytest.mark.parametrize("shape", [[0, 2], ["batch", 0], [1, 0, 2]])
def test_a_dimension_of_0(shape: list[Any], tmp_path: Path) -> None:
    path = save(model([node("Relu", ["x"], ["y"])], shape), tmp_path)
    with pytest.raises(InputError, match=f"axis {shape.index(0)} has size 0"):
        load(path)


ODD: dict[str, tuple[Any, dict[str, Any], str]] = {
    "a Reshape to -2": (node("Reshape", ["x", "c"], ["y"]), {"c": integers(1, -2)}, "no shape"),
    "a perm beyond the axes": (
        node("Transpose", ["x"], ["y"], perm=[1, -(2**63)]), {}, "is no order of axes",
    ),
    "a perm that repeats": (node("Transpose", ["x"], ["y"], perm=[0, 0]), {}, "is no order"),
    "a transposition that is no flag": (
        node("Gemm", ["x", "W"], ["y"], transB=2**40), {}, "attribute transB",
    ),
    "a Slice to nothing": (
        node("Slice", ["x", "c", "c", "d"], ["y"]),
        {"c": integers(1), "d": integers(1)},
        "without entries",
    ),
    "Gather at fractions": (node("Gather", ["x", "b"], ["y"]), {}, "does not fit"),
}  # fmt: skip


@pytest.mark.parametrize(("odd", "constants", "message"), ODD.values(), ids=ODD.keys())
def test_what_numpy_would_read(
    odd: Any, constants: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = save(model([odd], ["batch", 2], {**WEIGHTS, **constants}), tmp_path)
    with pytest.raises((InputError, UnsupportedOperatorError), match=message):
        load(path)


def test_a_standard_operator_with_a_meaning_of_its_own(tmp_path: Path) -> None:
    """onnxruntime would run the file's Relu, which is a negation."""
    made = good()
    made.functions.append(
        onnx.helper.make_function(
            "",
            "Relu",
            ["a"],
            ["c"],
            [node("Neg", ["a"], ["c"])],
            [onnx.helper.make_opsetid("", 13)],
        )
    )
    with pytest.raises(UnsupportedOperatorError, match="a meaning of its own"):
        load(save(made, tmp_path))
