"""Branches, joins and dead ends of ONNX files, against onnxruntime."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_models import integers, node, normals
from operator_cases import Case, assert_agrees_with_onnxruntime

CASES = [
    Case(
        "residual",
        [
            node("Gemm", ["x", "w"], ["g"]),
            node("Relu", ["g"], ["r"]),
            node("Add", ["r", "x"], ["s"]),
            node("Sub", ["s", "g"], ["y"]),
        ],
        (1, 4),
        {"w": normals(4, 4)},
    ),
    Case(
        "branches that broadcast",
        [
            node("Slice", ["x", "zero", "one", "last"], ["c"]),
            node("Add", ["x", "c"], ["y"]),
        ],
        (1, 3, 4),
        {"zero": integers(0), "one": integers(1), "last": integers(2)},
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
        {"zero": integers(0), "three": integers(3), "one": integers(1), "w": normals(5, 3)},
    ),
    Case(
        "expand then gemm",
        [
            node("Expand", ["x", "s"], ["e"]),
            node("Flatten", ["e"], ["f"]),
            node("Gemm", ["f", "w"], ["y"]),
        ],
        (1, 1, 3),
        {"s": integers(1, 4, 3), "w": normals(12, 2)},
    ),
    Case(
        "expand then pool",
        [
            node("Expand", ["x", "s"], ["e"]),
            node("AveragePool", ["e"], ["y"], kernel_shape=[2, 2]),
        ],
        (1, 1, 1, 4),
        {"s": integers(1, 1, 3, 4)},
    ),
    Case("concat of one node", [node("Concat", ["x", "x"], ["y"], axis=2)], (1, 2, 3), layers=1),
    Case(
        "dead nodes are not read",
        [node("Sigmoid", ["x"], ["unused"]), node("Relu", ["x"], ["y"])],
        (1, 3),
        layers=1,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_onnxruntime(case: Case, tmp_path: Path) -> None:
    assert_agrees_with_onnxruntime(case, tmp_path)
