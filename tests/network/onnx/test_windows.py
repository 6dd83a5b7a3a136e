"""Padding, strides and dilations of windows in ONNX files, against onnxruntime."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_models import node
from operator_cases import Case, assert_agrees_with_onnxruntime, conv

CASES = [
    conv("conv dilations", (1, 2, 9, 8), (3, 2, 3, 2), dilations=[2, 3], strides=[2, 1]),
    conv("conv same upper", (1, 1, 6, 7), (2, 1, 3, 4), auto_pad="SAME_UPPER", strides=[2, 2]),
    conv("conv same lower", (1, 1, 6, 7), (2, 1, 3, 4), auto_pad="SAME_LOWER", strides=[2, 3]),
    conv("conv valid", (1, 1, 6, 7), (2, 1, 3, 4), auto_pad="VALID", strides=[2, 3]),
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
        "max pool, ceil without effect",
        [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)],
        (1, 1, 4, 6),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_onnxruntime(case: Case, tmp_path: Path) -> None:
    assert_agrees_with_onnxruntime(case, tmp_path)
