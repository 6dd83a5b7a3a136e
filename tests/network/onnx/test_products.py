"""Convolutions and matrix products in ONNX files, against onnxruntime."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_models import integers, node, normals
from operator_cases import Case, assert_agrees_with_onnxruntime, conv

from marapatch.network.onnx.products import PRODUCTS

CASES = [
    conv("conv", (1, 2, 6, 7), (3, 2, 3, 2)),
    conv("conv groups", (1, 4, 5, 5), (6, 2, 3, 3), group=2, pads=[1, 0, 2, 1]),
    conv("conv depthwise", (1, 3, 5, 5), (3, 1, 3, 3), group=3),
    conv("conv 1d", (1, 3, 9), (2, 3, 4), strides=[2], pads=[1, 2]),
    conv("conv 3d", (1, 2, 4, 3, 5), (2, 2, 2, 3, 2), pads=[1, 0, 0, 0, 1, 1]),
    conv("conv mostly padding", (1, 1, 2, 2), (1, 1, 3, 3), pads=[2, 2, 2, 2]),
    Case(
        "conv then add",
        [node("Conv", ["x", "w"], ["c"]), node("Add", ["c", "b"], ["y"])],
        (1, 2, 4, 4),
        {"w": normals(3, 2, 2, 2), "b": normals(1, 3, 1, 1)},
        layers=1,
    ),
    Case(
        "conv then add of one number",
        [node("Conv", ["x", "w"], ["c"]), node("Add", ["c", "b"], ["y"])],
        (1, 2, 4, 4),
        {"w": normals(3, 2, 2, 2), "b": normals(1)},
        layers=2,
    ),
    Case(
        "gemm",
        [node("Gemm", ["x", "w", "c"], ["y"])],
        ("N", 4),
        {"w": normals(4, 3), "c": normals(3)},
        layers=1,
    ),
    Case(
        "gemm scaled and transposed",
        [node("Gemm", ["x", "w", "c"], ["y"], alpha=0.3, beta=1.7, transB=1)],
        (1, 4),
        {"w": normals(3, 4), "c": normals(1, 3)},
    ),
    Case(
        "gemm with a scalar bias",
        [node("Gemm", ["x", "w", "c"], ["y"], transB=1)],
        (1, 4),
        {"w": normals(3, 4), "c": normals(1)},
    ),
    Case(
        "gemm without bias then add",
        [node("Gemm", ["x", "w"], ["g"]), node("Add", ["b", "g"], ["y"])],
        (1, 4),
        {"w": normals(4, 3), "b": normals(3)},
        layers=1,
    ),
    Case(
        "gemm on a transposed input",
        [
            node("Reshape", ["x", "two"], ["r"]),
            node("Gemm", ["r", "w", "c"], ["y"], transA=1),
        ],
        (1, 12),
        {"two": integers(4, 3), "w": normals(4, 2), "c": normals(3, 2)},
    ),
    Case(
        "matmul on several rows",
        [node("MatMul", ["x", "w"], ["m"]), node("Add", ["m", "b"], ["y"])],
        (1, 3, 4),
        {"w": normals(4, 2), "b": normals(2)},
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
        {"two": integers(4, 3), "w": normals(5, 4), "b": normals(5, 1)},
    ),
    Case(
        "matmul with a transposed constant",
        [node("Transpose", ["w"], ["wt"]), node("MatMul", ["x", "wt"], ["y"])],
        (1, 4),
        {"w": normals(3, 4)},
        layers=1,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_onnxruntime(case: Case, tmp_path: Path) -> None:
    assert_agrees_with_onnxruntime(case, tmp_path)


def test_every_operator_has_a_case() -> None:
    assert set(PRODUCTS) <= set().union(*(case.operators for case in CASES))
