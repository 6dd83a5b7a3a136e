"""Operators that move, repeat or leave out entries, against onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from onnx_models import integers, node, normals
from operator_cases import Case, assert_agrees_with_onnxruntime

from marapatch.network.onnx.moves import MOVES

CASES = [
    Case("flatten", [node("Flatten", ["x"], ["f"]), node("Abs", ["f"], ["y"])], (1, 2, 3)),
    Case("flatten axis", [node("Flatten", ["x"], ["y"], axis=-1)], (1, 2, 3), layers=0),
    Case("reshape", [node("Reshape", ["x", "s"], ["y"])], (1, 2, 6), {"s": integers(0, 3, -1)}),
    Case("transpose", [node("Transpose", ["x"], ["y"], perm=[0, 2, 3, 1])], (1, 2, 3, 4), layers=1),
    Case("transpose default", [node("Transpose", ["x"], ["y"])], (1, 2, 3)),
    Case("squeeze attribute", [node("Squeeze", ["x"], ["y"], axes=[1])], (1, 1, 3), opset=11),
    Case("squeeze input", [node("Squeeze", ["x", "a"], ["y"])], (1, 1, 3), {"a": integers(1)}),
    Case("squeeze all", [node("Squeeze", ["x"], ["y"])], (1, 1, 3)),
    Case("unsqueeze attribute", [node("Unsqueeze", ["x"], ["y"], axes=[1, 3])], (1, 3), opset=11),
    Case("unsqueeze input", [node("Unsqueeze", ["x", "a"], ["y"])], (1, 3), {"a": integers(-1)}),
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
        {"s": integers(-1, 1), "e": integers(-100, 100), "a": integers(1, 2), "t": integers(-2, 3)},
    ),
    Case(
        "gather",
        [node("Gather", ["x", "i"], ["y"], axis=2)],
        (1, 2, 4),
        {"i": np.array([[3, 0], [-1, 3]], dtype=np.int64)},
    ),
    Case("expand", [node("Expand", ["x", "s"], ["y"])], (1, 1, 3), {"s": integers(1, 4, 3)}),
    Case("pad attribute", [node("Pad", ["x"], ["y"], pads=[0, 0, 1, 0, 0, 2])], (1, 2, 3), opset=9),
    Case(
        "pad value",
        [node("Pad", ["x", "p", "v"], ["y"])],
        (1, 2, 3),
        {"p": integers(0, 1, 1, 0, 0, 2), "v": np.array(0.25)},
    ),
    Case(
        "pad crop", [node("Pad", ["x", "p"], ["y"])], (1, 2, 5), {"p": integers(0, 0, -1, 0, 1, -2)}
    ),
    Case(
        "pad reflect",
        [node("Pad", ["x", "p"], ["y"], mode="reflect")],
        (1, 2, 5),
        {"p": integers(0, 0, 2, 0, 0, 1)},
    ),
    Case(
        "pad axes",
        [node("Pad", ["x", "p", "", "a"], ["y"])],
        (1, 2, 5),
        {"p": integers(1, 2), "a": integers(-1)},
        opset=18,
    ),
    Case("concat", [node("Concat", ["x", "r"], ["y"], axis=1)], (1, 2, 3)),
    Case("concat last axis", [node("Concat", ["r", "x", "r"], ["y"], axis=-1)], (1, 2, 3)),
    Case(
        "concat constant",
        [node("Concat", ["x", "c"], ["y"], axis=1)],
        (1, 3),
        {"c": normals(1, 2)},
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
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_onnxruntime(case: Case, tmp_path: Path) -> None:
    assert_agrees_with_onnxruntime(case, tmp_path)


def test_every_operator_has_a_case() -> None:
    assert set(MOVES) <= set().union(*(case.operators for case in CASES))
