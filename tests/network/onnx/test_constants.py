"""Constants, and arithmetic on them, in ONNX files, against onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, numpy_helper
from onnx_models import integers, node
from operator_cases import Case, assert_agrees_with_onnxruntime

CASES = [
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
        {"zero": np.array(0), "first": integers(0), "one": integers(1), "end": integers(9)},
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
        {"n": integers(3)},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_onnxruntime(case: Case, tmp_path: Path) -> None:
    assert_agrees_with_onnxruntime(case, tmp_path)
